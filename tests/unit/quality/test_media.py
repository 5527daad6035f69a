"""Looking into media and subtitles files."""

from __future__ import annotations

import pytest

from plmrec.quality.media import media_problem, subtitles_problem
from tests.support.raw_datasets import write_sound, write_video


def test_sound_silence_and_a_video_without_sound_are_good(tmp_path):
    assert media_problem(write_sound(tmp_path / "a.wav")) == ""
    assert media_problem(write_sound(tmp_path / "b.wav", silent=True)) == ""
    assert media_problem(write_video(tmp_path / "c.mp4")) == ""


@pytest.mark.parametrize("name", ["a.mp4", "a.mp3", "a.wav", "a.mkv", "a.txt"])
@pytest.mark.parametrize(
    "content",
    [
        b"this is a text\n" * 100,
        b"1\n00:00:00,000 --> 00:00:02,000\nhello\n",
        b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        bytes(4096),
    ],
)
def test_text_playlists_and_zeros_are_not_media_whatever_their_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert media_problem(tmp_path / name).startswith("media: expected")


def test_a_truncated_mp4_is_not_media(tmp_path):
    data = write_video(tmp_path / "a.mp4", frames=50).read_bytes()
    (tmp_path / "b.mp4").write_bytes(data[: len(data) // 2])
    assert "error" in media_problem(tmp_path / "b.mp4")


def test_the_problem_does_not_name_the_path(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"text")
    assert str(tmp_path) not in media_problem(tmp_path / "a.mp4")


def test_subtitles_need_a_cue_that_transcription_can_read(tmp_path):
    path = tmp_path / "a.srt"
    cue = "1\n00:00:00,000 --> 00:00:02,000\ncaf\u00e9\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        path.write_text(cue, encoding=encoding)
        assert subtitles_problem(path) == ""
    for useless in (b"just words", b"\xff\xd8\xff\xe0 --> ", b""):
        path.write_bytes(useless)
        assert subtitles_problem(path).endswith("a file without a readable cue")
