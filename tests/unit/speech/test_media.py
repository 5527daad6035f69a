from __future__ import annotations

import copy
import io
import tracemalloc

import numpy as np
import pytest

from plmrec.speech._media import MediaError, open_sound
from tests.support.media import bursts, encoded, silent_film, tone, wav


def decode(data: bytes, *, max_s: float = 3600.0):
    """Samples, and the sound they came from; None and None for media without a sound track."""
    container, sound = open_sound(io.BytesIO(data), max_s=max_s)
    with container:
        if sound is None:
            return None, None
        return np.concatenate(list(sound.chunks())), sound


def refusal(data: bytes, **options) -> str:
    with pytest.raises(MediaError) as caught:
        decode(data, **options)
    return caught.value.reason


FORMATS = [
    ("mp3", "libmp3lame"),
    ("mp4", "aac"),
    ("ogg", "libopus"),
    ("flac", "flac"),
    ("matroska", "aac"),
    ("webm", "libopus"),
    ("mpegts", "aac"),
    ("wav", "pcm_s24le"),
]


@pytest.mark.parametrize(("container", "codec"), FORMATS)
def test_every_format_gives_the_same_sound_at_16_khz(container, codec):
    data = encoded(tone(3, rate_hz=48_000), container=container, codec=codec)
    samples, sound = decode(data)
    assert samples.dtype == np.float32
    assert samples.size == pytest.approx(48_000, rel=0.03)
    assert sound.decoded_s == pytest.approx(samples.size / 16_000)
    assert sound.damage == ""
    spectrum = np.abs(np.fft.rfft(samples[8000:24000]))
    assert spectrum.argmax() == pytest.approx(440, abs=2)
    assert np.abs(samples[8000:40000]).max() == pytest.approx(0.3, rel=0.1)


def test_sound_of_a_video_is_decoded():
    data = encoded(tone(2, rate_hz=48_000), container="mp4", codec="aac", with_video=True)
    assert decode(data)[0].size == pytest.approx(32_000, rel=0.05)


def test_sound_that_starts_late_keeps_its_time():
    data = encoded(
        tone(2, rate_hz=48_000), container="matroska", codec="aac", with_video=True, start_s=3.0
    )
    samples, _ = decode(data)
    assert np.abs(samples[: int(2.9 * 16_000)]).max() == 0.0
    assert np.abs(samples[int(3.2 * 16_000) : int(4.8 * 16_000)]).max() > 0.2


@pytest.mark.parametrize(("container", "codec"), [*FORMATS[:1], *FORMATS[2:5], FORMATS[6]])
def test_a_truncated_file_keeps_what_came_before_the_break(container, codec):
    data = encoded(tone(12, rate_hz=48_000), container=container, codec=codec)
    samples, _ = decode(data[: len(data) // 2])
    assert 4.0 < samples.size / 16_000 < 7.5


def test_a_truncated_file_is_marked_when_it_says_how_long_it_should_be():
    whole = wav(tone(4))
    samples, sound = decode(whole[: len(whole) // 2])
    assert samples.size == pytest.approx(32_000, abs=50)
    assert "before the end" in sound.damage
    mp3 = encoded(tone(12, rate_hz=48_000), container="mp3", codec="libmp3lame")
    assert "before the end" in decode(mp3[: len(mp3) // 2])[1].damage


def test_a_damaged_stretch_in_the_middle_is_skipped_and_marked():
    data = bytearray(encoded(tone(12, rate_hz=48_000), container="mp3", codec="libmp3lame"))
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    samples, sound = decode(bytes(data))
    assert samples.size / 16_000 == pytest.approx(12, abs=0.5)
    assert "damaged packet" in sound.damage


def test_video_without_a_sound_track_has_no_sound_and_is_not_refused():
    assert decode(silent_film()) == (None, None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "media_empty"),
        (wav(np.zeros(0, np.float32)), "media_empty"),
        (b"just some text, renamed\n" * 50, "media_not_decodable"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nsubtitles\n", "media_not_decodable"),
        (bytes(50_000), "media_not_decodable"),
        (np.random.default_rng(0).bytes(50_000), "media_not_decodable"),
        (wav(tone(1))[:30], "media_not_decodable"),
        (silent_film()[:300], "media_not_decodable"),
    ],
)
def test_what_is_no_media_is_refused(data, reason):
    assert refusal(data) == reason


def test_a_playlist_cannot_make_the_decoder_open_other_files(tmp_path):
    (tmp_path / "secret.wav").write_bytes(wav(tone(1)))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tmp_path}/secret.wav\n"
    assert refusal(playlist.encode()) == "media_not_decodable"


def test_media_too_long_by_its_header_is_refused_before_it_is_decoded():
    assert refusal(wav(tone(3)), max_s=2.0) == "media_too_long"


def test_media_that_turns_out_too_long_is_refused_while_it_is_decoded():
    data = encoded(tone(6, rate_hz=48_000), container="mp3", codec="libmp3lame")
    container, sound = open_sound(io.BytesIO(data), max_s=100.0)
    sound._max_s = 2.0  # as if the header had said nothing
    with container, pytest.raises(MediaError, match="more than 2 s"):
        list(sound.chunks())


def test_values_that_are_no_numbers_become_silence():
    samples = tone(1, rate_hz=48_000)
    samples[100:200] = np.nan
    samples[300:400] = np.inf
    decoded, _ = decode(encoded(samples, container="wav", codec="pcm_f32le"))
    assert np.isfinite(decoded).all()
    assert np.abs(decoded).max() <= 1.0


def test_memory_does_not_grow_with_the_length():
    data = wav(bursts(600, rate_hz=8_000), rate_hz=8_000)  # 9.6 MB, 38 MB of samples
    tracemalloc.start()
    container, sound = open_sound(io.BytesIO(data), max_s=1e4)
    before = tracemalloc.get_traced_memory()[0]
    with container:
        sizes = [chunk.size for chunk in sound.chunks()]
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert sum(sizes) == pytest.approx(600 * 16_000, rel=0.001)
    assert max(sizes) <= 16_000
    assert peak < 3_000_000


def test_the_reason_survives_a_process_boundary():
    # A copy is made as a process that hands an error over makes it: by ``__reduce__``.
    err = copy.copy(MediaError("media: x", hint="Do y", reason="media_empty"))
    assert (err.reason, err.hint, str(err)) == ("media_empty", "Do y", "media: x. Do y")
