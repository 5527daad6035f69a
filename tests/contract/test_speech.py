"""What every speech recogniser promises; a new backend is tested by being there."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from plmrec.backends import backend_names, build_backend
from plmrec.errors import ParamsError
from plmrec.speech._media import open_sound
from plmrec.speech._pauses import cut_at_pauses
from plmrec.speech.base import SAMPLE_RATE_HZ, Heard, Span, SpeechRecogniser
from tests.support.media import bursts
from tests.support.tiny_whisper import convert_for_ctranslate2, write_tiny_whisper

SPOKEN = Path(__file__).parents[2] / "sample" / "media" / "mon-01.ogg"
SECONDS = 8
OPEN = {"min_logprob": -1e3, "max_compression": 1e3}


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> dict:
    """Options by backend; whisper needs a model, whose random words must pass its filters."""
    folder = write_tiny_whisper(tmp_path_factory.mktemp("whisper"))
    converted = convert_for_ctranslate2(folder, tmp_path_factory.mktemp("ctranslate2"))
    return {
        "whisper": {"model": str(folder), "dtype": "float32", **OPEN},
        "faster_whisper": {"model": str(converted), "max_tokens": 30, **OPEN},
    }


@pytest.fixture(scope="module", params=backend_names("speech"))
def recogniser(request, options) -> SpeechRecogniser:
    return build_backend("speech", request.param, options.get(request.param, {}))


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    with SPOKEN.open("rb") as file:
        container, sound = open_sound(file, max_s=60.0)
        with container:
            return np.concatenate(list(sound.chunks()))[: SECONDS * SAMPLE_RATE_HZ]


@pytest.fixture(scope="module")
def heard(recogniser, spoken) -> list[Heard]:
    return listen(recogniser, spoken)


def listen(recogniser: SpeechRecogniser, sound: np.ndarray) -> list[Heard]:
    """Hear sound as the pipeline does."""
    spans = list(cut_at_pauses([sound], window=recogniser.window))
    found = []
    for first in range(0, len(spans), recogniser.batch_size):
        batch = spans[first : first + recogniser.batch_size]
        language = recogniser.spoken_language(spans[0], None).language
        found += recogniser.recognise(batch, [language] * len(batch))
    return found


def test_speech_gives_segments_in_order_inside_the_sound(heard):
    segments = [segment for each in heard for segment in each.segments]
    assert segments
    for segment in segments:
        assert 0.0 <= segment.start_s <= segment.end_s <= SECONDS + 0.05
        assert segment.text == segment.text.strip() != ""
        assert 0.0 <= segment.confidence <= 1.0
    assert all(before.end_s <= after.start_s for before, after in pairwise(segments))


def test_words_lie_in_order_inside_the_sound(heard):
    for each in heard:
        for word in each.words:
            assert 0.0 <= word.start_s <= word.end_s <= SECONDS + 0.05
            assert word.text
            assert 0.0 <= word.confidence <= 1.0
        assert all(a.start_s <= b.start_s for a, b in pairwise(each.words))


def test_an_earlier_item_makes_no_difference(recogniser, spoken, heard):
    listen(recogniser, bursts(6, loudness=0.05))
    assert listen(recogniser, spoken) == heard


def test_the_company_in_a_batch_makes_no_difference(recogniser, spoken):
    half = spoken[: 4 * SAMPLE_RATE_HZ]
    alone = Span(start_s=0.0, samples=half)
    other = Span(start_s=50.0, samples=bursts(3))
    language = recogniser.spoken_language(alone, "en").language
    (expected,) = recogniser.recognise([alone], [language])
    found, _ = recogniser.recognise([alone, other], [language, language])
    assert texts(found) == texts(expected)


def texts(heard: Heard) -> list[tuple]:
    return [(segment.start_s, segment.end_s, segment.text) for segment in heard.segments]


def test_a_span_of_silence_or_a_very_short_one_is_no_error(recogniser):
    for n in (160, 48_000):
        span = Span(start_s=7.0, samples=np.zeros(n, np.float32))
        (found,) = recogniser.recognise([span], ["en"])
        assert all(7.0 <= segment.start_s <= segment.end_s for segment in found.segments)


def test_no_spans_give_nothing(recogniser):
    assert recogniser.recognise([], []) == []


def test_it_says_what_it_is(recogniser):
    assert recogniser.name in backend_names("speech")
    assert recogniser.version
    assert recogniser.sample_rate_hz == SAMPLE_RATE_HZ
    assert recogniser.language is None or len(recogniser.language) >= 2
    assert recogniser.window.max_s > recogniser.window.min_s
    assert recogniser.batch_size >= 1


def test_the_same_options_give_the_same_version(recogniser, options):
    again = build_backend("speech", recogniser.name, options.get(recogniser.name, {}))
    assert again.version == recogniser.version


def test_an_unknown_option_is_refused(recogniser):
    with pytest.raises(ParamsError, match="loudness"):
        build_backend("speech", recogniser.name, {"loudness": 11})
