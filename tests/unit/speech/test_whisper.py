from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.errors import BackendUnavailableError
from plmrec.speech._pauses import cut_at_pauses
from plmrec.speech.base import Span
from tests.support.media import bursts
from tests.support.tiny_whisper import LANGUAGES, write_tiny_whisper

OPEN = {  # random words must pass the filters
    "min_logprob": -1e3,
    "max_compression": 1e3,
    "dtype": "float32",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_whisper(tmp_path_factory.mktemp("whisper"))


def build(model, **options):
    return build_backend("speech", "whisper", {"model": str(model), **OPEN, **options})


def test_asking_for_version_and_language_loads_no_weights(model):
    whisper = build(model)
    assert whisper.version
    assert whisper.language is None
    assert "_model" not in vars(whisper)


def listen(whisper, sound=None, language="en"):
    """Segments of bursts of sound, span by span."""
    sound = bursts(10) if sound is None else sound
    spans = list(cut_at_pauses([sound], window=whisper.window))
    found = whisper.recognise(spans, [language] * len(spans))
    return [segment for heard in found for segment in heard.segments]


def test_long_sound_is_heard_in_windows(model):
    found = listen(build(model), bursts(75))
    assert max(segment.end_s for segment in found) > 60
    assert all(before.end_s <= after.start_s for before, after in pairwise(found))


def test_windows_that_look_made_up_are_dropped(model):
    assert listen(build(model, min_logprob=-0.5)) == []
    assert listen(build(model, max_compression=1.0001)) == []


def test_what_changes_a_text_changes_the_version_and_nothing_else_does(model, tmp_path):
    version = build(model).version
    assert build(model, batch_size=2, device="cpu").version == version
    assert build(model, language="de").version != version
    assert build(model, num_beams=2).version != version
    assert build(model, dtype="int8").version != version
    assert build(write_tiny_whisper(tmp_path / model.name, seed=1)).version != version


def test_an_english_only_model_says_so_and_refuses_another_language(tmp_path):
    folder = write_tiny_whisper(tmp_path, multilingual=False)
    assert build(folder).language == "en"
    assert listen(build(folder), language=None)
    with pytest.raises(BackendUnavailableError, match="expected language en"):
        _ = build(folder, language="de").language


def test_a_set_language_is_used(model):
    assert build(model, language="de").language == "de"
    assert listen(build(model, language="de"), language="de")


def test_a_model_without_time_stamps_gives_one_segment_per_span(tmp_path):
    folder = write_tiny_whisper(tmp_path)
    config = json.loads((folder / "generation_config.json").read_text())
    del config["no_timestamps_token_id"]
    (folder / "generation_config.json").write_text(json.dumps(config))
    found = listen(build(folder), np.concatenate([bursts(10), np.zeros(32000, "f4")]))
    assert len(found) == 1


@pytest.mark.parametrize("name", ["no-such-owner/no-such-model", "not a name"])
def test_a_model_that_cannot_be_had_offline_is_unavailable(name, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    whisper = build_backend("speech", "whisper", {"model": name})
    with pytest.raises(BackendUnavailableError, match=r"name a local folder|folder or a hub name"):
        _ = whisper.version


def test_pickled_weights_are_refused(model, tmp_path):
    for file in model.iterdir():
        name = "pytorch_model.bin" if file.suffix == ".safetensors" else file.name
        (tmp_path / name).write_bytes(file.read_bytes())
    with pytest.raises(BackendUnavailableError, match="safetensors"):
        _ = build(tmp_path).version


def test_the_language_is_what_the_item_says_or_is_heard_with_a_probability(model):
    whisper = build(model)
    span = Span(start_s=0.0, samples=bursts(5))
    assert whisper.spoken_language(span, "de-AT") == ("de", None)
    for said in (None, "tlh"):  # a language that the model does not know
        language, confidence = whisper.spoken_language(span, said)
        assert language in LANGUAGES
        assert 1 / len(LANGUAGES) <= confidence <= 1.0
    assert build(model, language="de").spoken_language(span, "en") == ("de", None)


def test_languages_may_differ_within_a_batch(model):
    whisper = build(model)
    spans = [Span(start_s=0.0, samples=bursts(5)), Span(start_s=9.0, samples=bursts(4, seed=1))]
    both = whisper.recognise(spans, ["en", "de"])
    alone = [
        whisper.recognise([span], [lan])[0] for span, lan in zip(spans, ("en", "de"), strict=True)
    ]
    assert [heard.segments[0].text for heard in both] == [h.segments[0].text for h in alone]


def test_words_are_timed_inside_their_segments(tmp_path):
    folder = write_tiny_whisper(tmp_path)
    config = json.loads((folder / "generation_config.json").read_text())
    config["alignment_heads"] = [[0, 0], [0, 1]]
    (folder / "generation_config.json").write_text(json.dumps(config))
    whisper = build(folder, words=True)
    span = Span(start_s=100.0, samples=bursts(6))
    (heard,) = whisper.recognise([span], ["en"])
    assert heard.words
    assert "".join(w.text for w in heard.words) == "".join(
        segment.text.replace(" ", "") for segment in heard.segments
    )
    assert all(100.0 <= w.start_s <= w.end_s <= 106.0 for w in heard.words)
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in pairwise(heard.words))


def test_a_model_that_cannot_time_words_gives_none(model):
    (heard,) = build(model, words=True).recognise([Span(start_s=0.0, samples=bursts(5))], ["en"])
    assert heard.segments
    assert heard.words == ()


@pytest.mark.parametrize("dtype", ["auto", "bfloat16", "int8"])
def test_other_precisions_hear_something(model, dtype):
    assert listen(build(model, dtype=dtype))


def test_safer_settings_work_with_beams(model):
    found = listen(build(model, num_beams=3, no_repeat_ngram_size=3))
    assert found
    assert all(0 <= segment.confidence <= 1 for segment in found)


def test_the_version_says_in_which_precision_this_machine_hears(model, monkeypatch):
    by_name = {name: build(model, dtype=name).version for name in ("float32", "bfloat16", "int8")}
    assert len(set(by_name.values())) == 3
    for feature, precision in (("amx_bf16", "bfloat16"), ("avx2", "float32")):
        monkeypatch.setattr("plmrec.devices.processor_features", lambda found=feature: (found,))
        whisper = build(model, dtype="auto", device="cpu")
        assert whisper.version == by_name[precision]
        assert str(whisper._model.dtype) == f"torch.{precision}"


def test_int8_is_for_the_cpu(model):
    with pytest.raises(BackendUnavailableError, match="int8 on the CPU"):
        listen(build(model, dtype="int8", device="cuda"))
