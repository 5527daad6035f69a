from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from plmrec.errors import BackendUnavailableError
from plmrec.speech import _silero
from plmrec.speech._activity import detector_version, make_detector
from plmrec.speech._media import open_sound
from plmrec.speech._pauses import cut_at_pauses
from plmrec.speech.base import SAMPLE_RATE_HZ, Window
from tests.support.media import bursts, tone

SPOKEN = Path(__file__).parents[3] / "sample" / "media" / "mon-01.ogg"
WINDOW = Window(max_s=25.0, min_s=2.0)


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    with SPOKEN.open("rb") as file:
        container, sound = open_sound(file, max_s=600.0)
        with container:
            return np.concatenate(list(sound.chunks()))[: 30 * SAMPLE_RATE_HZ]


def cut(*chunks: np.ndarray, **more):
    detector = make_detector("silero", threshold=0.5)
    return list(cut_at_pauses(chunks, window=WINDOW, detector=detector, **more))


def seconds(spans) -> float:
    return sum(span.end_s - span.start_s for span in spans)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(0, np.float32),
        np.zeros(10 * SAMPLE_RATE_HZ, np.float32),
        bursts(12),  # noise that comes and goes, which is loud and is no speech
        tone(10) * np.linspace(0, 1, 10 * SAMPLE_RATE_HZ, dtype=np.float32),
        sum(tone(8, hz=hz, loudness=0.1) for hz in (262, 330, 392)),  # a chord
    ],
)
def test_silence_noise_and_tones_are_no_speech(sound):
    assert cut(sound) == []


def test_speech_is_found_between_silence_and_noise(spoken):
    silence = np.zeros(5 * SAMPLE_RATE_HZ, np.float32)
    spans = cut(np.concatenate([silence, bursts(6), silence, spoken, silence]))
    assert 0.7 * 30 < seconds(spans) < 30 + 2
    assert 15.5 < spans[0].start_s < 18
    assert all(before.end_s <= after.start_s + 1e-6 for before, after in pairwise(spans))


@pytest.mark.parametrize("size", [511, 16_000])
def test_where_the_sound_is_cut_into_chunks_makes_no_difference(spoken, size):
    whole = cut(spoken)
    parts = cut(*(spoken[first : first + size] for first in range(0, spoken.size, size)))
    assert [(s.start_s, s.end_s, s.mark) for s in parts] == [
        (s.start_s, s.end_s, s.mark) for s in whole
    ]


def test_from_a_mark_exactly_the_spans_that_follow_are_found(spoken):
    sound = np.concatenate([spoken, np.zeros(SAMPLE_RATE_HZ, np.float32), spoken])
    spans = cut(sound)
    number = next(n for n, span in enumerate(spans) if span.mark and n >= 1)
    again = cut(sound[spans[number].mark.sample :], start=spans[number].mark)
    assert len(again) == len(spans) - number - 1 > 0
    for found, expected in zip(again, spans[number + 1 :], strict=True):
        assert found.start_s == expected.start_s
        assert np.array_equal(found.samples, expected.samples)


def test_the_version_says_what_changes_the_spans():
    versions = {
        detector_version("silero", threshold=0.5),
        detector_version("silero", threshold=0.6),
        detector_version("energy", threshold=0.5),
    }
    assert len(versions) == 3
    assert detector_version("energy", threshold=0.1) in versions


def test_without_the_package_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(_silero.util, "find_spec", lambda name: None)
    _silero._session.cache_clear()
    with pytest.raises(BackendUnavailableError, match="set speech"):
        cut(bursts(1))
    _silero._session.cache_clear()
