from __future__ import annotations

from types import SimpleNamespace

import pytest

from plmrec.backends import build_backend
from plmrec.errors import BackendUnavailableError, DataContractError
from plmrec.speech.base import Span
from tests.support.media import bursts
from tests.support.tiny_whisper import convert_for_ctranslate2, write_tiny_whisper

OPEN = {"min_logprob": -1e3, "max_compression": 1e3, "max_tokens": 30}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = write_tiny_whisper(tmp_path_factory.mktemp("whisper"))
    return convert_for_ctranslate2(folder, tmp_path_factory.mktemp("converted"))


def build(model, **options):
    return build_backend("speech", "faster_whisper", {"model": str(model), **OPEN, **options})


SPANS = [
    Span(start_s=0.0, samples=bursts(5)),
    Span(start_s=50.0, samples=bursts(0.4, seed=1)),
    Span(start_s=90.0, samples=bursts(28.9, seed=2)),
]


def test_each_span_gets_its_own_words_at_its_own_time(model):
    found = build(model).recognise(SPANS, ["en", "de", "en"])
    assert len(found) == 3
    for span, heard in zip(SPANS, found, strict=True):
        for each in (*heard.segments, *heard.words):
            assert span.start_s <= each.start_s <= each.end_s <= span.end_s + 1e-3
    alone = [
        build(model).recognise([s], [lang])[0]
        for s, lang in zip(SPANS, ("en", "de", "en"), strict=True)
    ]
    assert [[s.text for s in heard.segments] for heard in found] == [
        [s.text for s in heard.segments] for heard in alone
    ]


def test_an_item_may_say_its_language_and_else_it_is_heard_with_a_probability(model):
    # CTranslate2 takes no model for multilingual that has not the vocabulary of a real one.
    whisper = build(model)
    real = whisper._model
    whisper.__dict__["_model"] = SimpleNamespace(
        model=SimpleNamespace(is_multilingual=True),
        hf_tokenizer=real.hf_tokenizer,
        supported_languages=["en", "de", "fr"],
        feature_extractor=real.feature_extractor,
        detect_language=lambda features: ("en", 0.87654, []),
    )
    assert whisper.spoken_language(SPANS[0], "de-AT") == ("de", None)
    assert whisper.spoken_language(SPANS[0], "fr") == ("en", 0.8765)  # this one has no French
    assert whisper.spoken_language(SPANS[0], None) == ("en", 0.8765)
    assert build(model, language="de").spoken_language(SPANS[0], "en") == ("de", None)


def test_what_looks_made_up_is_dropped(model):
    assert build(model, min_logprob=-0.01).recognise(SPANS[:1], ["en"])[0].segments == ()


def test_an_english_only_model_says_so_and_refuses_another_language(tmp_path):
    for name, content in (("model.bin", ""), ("tokenizer.json", "{}"), ("config.json", "{}")):
        (tmp_path / name).write_text(content)
    assert build(tmp_path).language is None
    (tmp_path / "config.json").write_text('{"lang_ids": [50259]}')
    assert build(tmp_path).language == "en"
    with pytest.raises(BackendUnavailableError, match="expected language en"):
        _ = build(tmp_path, language="de").language
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(BackendUnavailableError, match="expected a JSON dict"):
        _ = build(tmp_path).language


def test_what_changes_a_text_changes_the_version_and_nothing_else_does(model, monkeypatch):
    version = build(model).version
    assert build(model, batch_size=2, device="cpu", threads=1).version == version
    assert build(model, beam_size=2).version != version
    assert build(model, compute_type="int8").version != version
    monkeypatch.setattr("ctranslate2.get_supported_compute_types", lambda _device: {"float32"})
    assert build(model).version != version  # another machine


def test_int8_weights_hear_something(model):
    whisper = build(model, compute_type="int8", beam_size=2, no_repeat_ngram_size=2)
    assert whisper.recognise(SPANS[:1], ["en"])[0].segments


def test_a_folder_that_is_not_converted_is_named(tmp_path):
    with pytest.raises(BackendUnavailableError, match="ct2-transformers-converter"):
        _ = build(write_tiny_whisper(tmp_path)).version


def test_a_text_longer_than_the_model_can_write_is_the_recognisers_fault(model):
    with pytest.raises(DataContractError, match="gave up near 0"):
        build(model, max_tokens=300).recognise(SPANS[:1], ["en"])


def test_without_the_package_it_says_what_to_install(monkeypatch, model):
    monkeypatch.setattr("plmrec.speech.faster_whisper.util.find_spec", lambda name: None)
    with pytest.raises(BackendUnavailableError, match=r"pip install plmrec\[faster-whisper\]"):
        build(model)
