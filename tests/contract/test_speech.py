"""What every speech recogniser promises; a new backend is tested by being there."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from plmrec.backends import backend_names, build_backend
from plmrec.errors import ParamsError
from plmrec.speech._media import open_sound
from plmrec.speech.base import SAMPLE_RATE_HZ, SpeechRecogniser
from tests.support.media import bursts
from tests.support.tiny_whisper import write_tiny_whisper

SPOKEN = Path(__file__).parents[2] / "sample" / "media" / "mon-01.ogg"
SECONDS = 8


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> dict:
    """Options by backend; whisper needs a model, whose random words must pass its filters."""
    folder = write_tiny_whisper(tmp_path_factory.mktemp("whisper"))
    return {"whisper": {"model": str(folder), "min_logprob": -1e3, "max_compression": 1e3}}


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
def heard(recogniser, spoken) -> list:
    return list(recogniser.transcribe([spoken]))


def test_speech_gives_segments_in_order_inside_the_sound(heard):
    assert heard
    for segment in heard:
        assert 0.0 <= segment.start_s <= segment.end_s <= SECONDS
        assert segment.text == segment.text.strip() != ""
        assert 0.0 <= segment.confidence <= 1.0
    assert all(before.end_s <= after.start_s for before, after in pairwise(heard))


@pytest.mark.parametrize("size", [333, SAMPLE_RATE_HZ])
def test_where_the_sound_is_cut_into_chunks_makes_no_difference(recogniser, spoken, heard, size):
    chunks = (spoken[first : first + size] for first in range(0, spoken.size, size))
    assert list(recogniser.transcribe(chunks)) == heard


def test_an_earlier_item_makes_no_difference(recogniser, spoken, heard):
    list(recogniser.transcribe([bursts(6, loudness=0.05)]))
    assert list(recogniser.transcribe([spoken])) == heard


def test_an_item_that_broke_off_makes_no_difference(recogniser, spoken, heard):
    class Broken(Exception):
        pass

    def chunks():
        yield spoken[: SAMPLE_RATE_HZ * 3]
        raise Broken

    with pytest.raises(Broken):
        list(recogniser.transcribe(chunks()))
    assert list(recogniser.transcribe([spoken])) == heard


@pytest.mark.parametrize("chunks", [[], [np.zeros(0, np.float32)], [np.zeros(48_000, np.float32)]])
def test_silence_and_no_sound_give_no_segments(recogniser, chunks):
    assert list(recogniser.transcribe(chunks)) == []


def test_it_says_what_it_is(recogniser):
    assert recogniser.name in backend_names("speech")
    assert recogniser.version
    assert recogniser.sample_rate_hz == SAMPLE_RATE_HZ
    assert recogniser.language is None or len(recogniser.language) >= 2


def test_the_same_options_give_the_same_version(recogniser, options):
    again = build_backend("speech", recogniser.name, options.get(recogniser.name, {}))
    assert again.version == recogniser.version


def test_an_unknown_option_is_refused(recogniser):
    with pytest.raises(ParamsError, match="loudness"):
        build_backend("speech", recogniser.name, {"loudness": 11})
