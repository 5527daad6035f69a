from __future__ import annotations

import pytest

from plmrec.errors import BackendUnavailableError, ParamsError
from plmrec.params import SpeechParams
from plmrec.stages.recognisers import Recognisers

OVERRIDES = [
    {"language": "de", "kind": "audio", "backend": "scripted", "options": {"segment_s": 2.0}},
    {"language": "de-AT", "backend": "scripted", "options": {"segment_s": 3.0}},
    {"kind": "ad", "backend": "scripted", "options": {"segment_s": 4.0}},
]


def recognisers(**params) -> Recognisers:
    return Recognisers(params=SpeechParams(backend="scripted", **params))


@pytest.mark.parametrize(
    ("language", "kind", "number"),
    [
        ("de", "audio", 1),
        ("DE-de", "audio", 1),
        ("de", "video", 2),  # a region makes no other language
        ("en", "ad", 3),
        (None, "ad", 3),
        (None, "audio", 0),
        ("en", "video", 0),
    ],
)
def test_the_first_override_that_fits_is_taken(language, kind, number):
    chosen = recognisers(overrides=OVERRIDES).choose({"language": language, "kind": kind})
    assert chosen.number == number


def test_each_recogniser_is_built_once_and_with_its_own_options():
    chosen = recognisers(overrides=OVERRIDES, safer_options={"segment_s": 1.0}).choices
    assert [choice.first.version for choice in chosen] == ["1-5s", "1-2s", "1-3s", "1-4s"]
    assert chosen[0].first is chosen[0].first
    assert chosen[0].safer.version == "1-1s"
    assert chosen[0].safer is chosen[0].safer
    assert chosen[1].safer is None


def test_what_a_text_depends_on_follows_the_settings():
    item = {"language": None, "kind": "video"}

    def inputs(**params):
        options = {"options": {"hears_all": False}, **params}
        return recognisers(**options).inputs_of(item)

    assert inputs() == inputs(overrides=OVERRIDES, max_worker_mb=1, golden="refs.tsv")
    for changed in (
        {"vad": "energy"},
        {"vad_threshold": 0.6},
        {"quality": {"max_words_per_s": 5.0}},
        {"safer_options": {"segment_s": 1.0}},
        {"max_duration_s": 60.0},
        {"options": {"hears_all": False, "segment_s": 1.0}},
    ):
        assert inputs(**changed) != inputs()
    hears_all = {"options": {"hears_all": True}}  # no detector is asked
    assert inputs(**hears_all, vad="energy") == inputs(**hears_all)


def test_a_name_with_a_hyphen_is_the_file_and_an_unknown_one_is_named():
    assert Recognisers(params=SpeechParams(backend="faster-whisper")).choices[0].first
    with pytest.raises(BackendUnavailableError, match="got 'hearsay'"):
        _ = Recognisers(params=SpeechParams(backend="hearsay")).choices[0].first
    with pytest.raises(ParamsError, match="loudness"):
        _ = recognisers(options={"loudness": 11}).choices[0].first
