"""Hearing: bounded memory, shared batches, and nothing spent on silence."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.errors import DataContractError
from plmrec.speech._activity import make_detector
from plmrec.speech.base import Heard, Spoken, Window
from plmrec.stages.hearing import Medium, hear
from plmrec.types import Segment
from tests.support.media import bursts, tone, wav


class Recording:
    """Remembers the batches it is given; gives up on loud spans when told to."""

    name, version, language, sample_rate_hz = "recording", "1", None, 16_000
    window, is_isolated = Window(max_s=4.0, min_s=0.0), False

    def __init__(self, batch_size: int, *, limit: float = 1.0) -> None:
        self.batch_size = batch_size
        self.batches: list[list[float]] = []
        self.asked: list[float] = []
        self._limit = limit

    def spoken_language(self, span, said):
        self.asked.append(span.start_s)
        return Spoken(said or "en", None if said else 0.75)

    def recognise(self, spans, languages):
        assert None not in languages
        if any(np.abs(span.samples).max() > self._limit for span in spans):
            raise DataContractError("recording: too loud")
        self.batches.append([span.start_s for span in spans])
        return [
            Heard((Segment(start_s=s.start_s, end_s=s.end_s, text=language, confidence=0.5),))
            for s, language in zip(spans, languages, strict=True)
        ]


def medium(samples: np.ndarray, key: str = "a", language: str | None = None) -> Medium:
    data = wav(samples)
    return Medium(key=key, origin=f"{key}.wav", open=lambda: io.BytesIO(data), language=language)


def run(media, recogniser, vad="energy", **more):
    detector = make_detector(vad, threshold=0.5)
    return hear(media, recogniser=recogniser, detector=detector, max_s=36_000.0, **more)


def noise(n_bursts: int, loudness: float = 0.2) -> np.ndarray:
    return np.concatenate([np.zeros(8_000, np.float32), bursts(4 * n_bursts, loudness=loudness)])


def test_short_media_share_batches_and_each_gets_its_own_text():
    recogniser = Recording(batch_size=4)
    one, two, three = run(
        [medium(noise(1)), medium(noise(3), "b", "de"), medium(noise(2), "c")], recogniser
    )
    assert [len(batch) for batch in recogniser.batches] == [4, 2]
    assert [len(text.segments) for text in (one, two, three)] == [1, 3, 2]
    assert {segment.text for segment in two.segments} == {"de"}
    assert (two.language, two.language_confidence) == ("de", None)
    assert (three.language, three.language_confidence) == ("en", 0.75)
    assert len(recogniser.asked) == 3  # once for each medium


def test_a_span_that_breaks_a_batch_refuses_its_own_medium_alone():
    recogniser = Recording(batch_size=4, limit=0.99)
    good, bad = run([medium(noise(2, 0.05)), medium(noise(2, 0.9), "b")], recogniser)
    assert (good.status, len(good.segments)) == ("speech", 2)
    assert bad.status == "refused"
    assert [problem.reason for problem in bad.problems] == ["media_not_recognised"]


@pytest.mark.parametrize("sound", [np.zeros(160_000, np.float32), bursts(12), tone(12)])
def test_silence_noise_and_tones_never_reach_the_recogniser(sound):
    recogniser = Recording(batch_size=2)
    (text,) = run([medium(sound)], recogniser, vad="silero")
    assert (text.status, text.speech_s, text.problems) == ("no_speech", 0.0, ())
    assert recogniser.batches == recogniser.asked == []


_PEAK = """
import resource, sys
import numpy as np
from plmrec.params import SpeechParams
from plmrec.stages.hearers import LocalHearer, Task
from plmrec.stages.recognisers import Recognisers
from plmrec.stores.workspace import Workspace
options = {"segment_s": 8.0, "hears_all": False}
params = SpeechParams(backend="scripted", options=options, vad="energy", max_duration_s=1e6)
hearer = LocalHearer(Workspace(sys.argv[1]), Recognisers(params=params))
for name in sys.argv[2:]:
    where = {"shard": "part-000", "item_id": name, "media": name}
    task = Task(**where, language=None, input_digest="d", choice=0)
    (text,) = hearer.hear([task])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(text.media_s, len(text.segments), peak)
"""


def test_memory_does_not_grow_with_the_length_of_a_medium(tmp_path):
    """Two minutes, then an hour and a half of bursts every four seconds, in one process."""
    folder = tmp_path / "dataset" / "media"
    folder.mkdir(parents=True)
    piece = (noise(15) * 32767).astype("<i2").tobytes()
    for name, n_pieces in (("short.wav", 2), ("long.wav", 90)):
        size = len(piece) * n_pieces
        head = bytearray(wav(np.zeros(0, np.float32)))
        head[4:8], head[40:44] = (36 + size).to_bytes(4, "little"), size.to_bytes(4, "little")
        with (folder / name).open("wb") as file:
            file.write(head)
            for _ in range(n_pieces):
                file.write(piece)
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, str(tmp_path), "short.wav", "long.wav"],
        capture_output=True,
        text=True,
        check=True,
    )
    short, long = (line.split() for line in done.stdout.splitlines())
    assert float(long[0]) == pytest.approx(90 * 60.5, abs=1)
    assert int(long[1]) > 40 * int(short[1])
    assert int(long[2]) - int(short[2]) < 40  # MB; the sound alone has 166
    assert len(list((tmp_path / "transcripts" / ".done").rglob("*.json"))) > 1000


def test_a_recogniser_that_hears_all_is_given_all():
    scripted = build_backend("speech", "scripted", {})
    (text,) = run([medium(tone(7))], scripted)
    assert text.speech_s == text.media_s == pytest.approx(7.0)
