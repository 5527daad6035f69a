from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from plmrec.speech._pauses import cut_at_pauses
from plmrec.speech.base import Mark, Window
from tests.support.media import bursts, tone

RATE = 16_000
WINDOW = Window(max_s=20.0, min_s=5.0)


def noise(seconds: float, loudness: float = 0.2, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * loudness
    return values.astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def cut(*parts: np.ndarray, max_s: float = 20.0, min_s: float = 5.0, **more):
    window = Window(max_s=max_s, min_s=min_s, **more)
    return list(cut_at_pauses([np.concatenate(parts)], window=window))


def test_sound_between_silences_is_one_span_with_a_little_silence_around():
    (span,) = cut(silence(2), noise(3), silence(2))
    assert span.start_s == pytest.approx(1.76, abs=0.03)
    assert span.end_s == pytest.approx(5.24, abs=0.03)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(0, np.float32),
        silence(5),
        noise(5, loudness=1e-4),  # a quiet room
        noise(5, loudness=0.05),  # steady noise
        tone(5, hz=50),  # hum
        np.where(np.arange(5 * RATE) % RATE < 40, 0.5, 0.0).astype(np.float32),  # clicks
    ],
)
def test_silence_steady_noise_hum_and_clicks_give_no_span(sound):
    assert cut(sound) == []


def test_short_pauses_end_a_span_only_once_it_is_long_enough():
    spans = cut(silence(1), *[noise(2), silence(0.6)] * 4, silence(2), min_s=5.0)
    assert len(spans) == 2  # cut after the second burst and its pause: 5.2 s
    assert spans[0].end_s - spans[0].start_s == pytest.approx(5.1, abs=0.3)


def test_long_pauses_end_any_span():
    sound = np.concatenate([silence(1), *[noise(1), silence(2)] * 3])
    assert len(cut(sound, min_s=15.0)) == 3
    assert len(cut(sound, min_s=15.0, long_pause_s=3.0)) == 1


def test_a_span_that_grows_too_long_is_cut_at_its_best_pause_and_nothing_is_lost():
    first, second = cut(
        silence(1), noise(7), silence(0.2), noise(6), silence(2), max_s=10.0, min_s=20.0
    )
    assert first.end_s == pytest.approx(8.1, abs=0.1)
    assert second.start_s == pytest.approx(first.end_s, abs=1e-6)
    assert second.end_s == pytest.approx(14.44, abs=0.1)


def test_no_span_is_longer_than_asked_for_even_without_any_pause():
    spans = cut(silence(1), noise(31), silence(1), max_s=10.0)
    assert len(spans) >= 3
    assert max(span.end_s - span.start_s for span in spans) <= 10.0


def test_speech_over_noise_is_found():
    spans = cut(noise(3, 0.005), noise(3, 0.1, seed=1), noise(3, 0.005, seed=2))
    assert len(spans) == 1
    assert spans[0].start_s == pytest.approx(2.76, abs=0.1)


@pytest.mark.parametrize("size", [1, 7, 319, 320, 16_000, 10**6])
def test_where_the_sound_is_cut_into_chunks_makes_no_difference(size):
    sound = np.concatenate([silence(0.5), noise(1.3), silence(1.4), noise(0.8)])
    whole = cut(sound)
    parts = [sound[first : first + size] for first in range(0, sound.size, size)]
    again = list(cut_at_pauses(parts, window=WINDOW))
    assert [span.start_s for span in whole] == [span.start_s for span in again]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(whole, again, strict=True))


def test_memory_does_not_grow_with_the_length():
    chunk = bursts(4)
    tracemalloc.start()
    spans = sum(1 for _ in cut_at_pauses((chunk for _ in range(150)), window=WINDOW))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert spans == 149  # of ten minutes, 38 MB; the first burst passes for the background
    assert peak < 8_000_000


def test_from_the_mark_of_a_span_exactly_the_spans_that_follow_are_found():
    sound = np.concatenate(
        [silence(0.5), *[noise(1.3), silence(0.9), noise(2.1), silence(1.6)] * 3]
    )
    spans = cut(sound, min_s=2.0)
    assert len(spans) > 4
    for number, span in enumerate(spans[:-1]):
        assert isinstance(span.mark, Mark)
        rest = sound[span.mark.sample :]
        again = list(cut_at_pauses([rest], window=Window(max_s=20.0, min_s=2.0), start=span.mark))
        assert [each.start_s for each in again] == [each.start_s for each in spans[number + 1 :]]
        for found, expected in zip(again, spans[number + 1 :], strict=True):
            assert np.array_equal(found.samples, expected.samples)
            assert found.mark == expected.mark


def test_a_span_that_was_cut_outside_a_pause_has_no_mark():
    first, *_, last = cut(silence(1), noise(31), silence(2), max_s=10.0)
    assert first.mark is None
    assert last.mark is not None


def test_blind_cutting_takes_all_and_can_go_on_anywhere():
    sound = np.concatenate([silence(2), noise(3.5)])
    window = Window(max_s=2.0, hears_all=True)
    spans = list(cut_at_pauses([sound], window=window))
    assert [(span.start_s, span.end_s) for span in spans] == [(0, 2), (2, 4), (4, 5.5)]
    mark = spans[0].mark
    (second, _) = cut_at_pauses([sound[mark.sample :]], window=window, start=mark)
    assert np.array_equal(second.samples, spans[1].samples)
