from __future__ import annotations

import json

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.errors import BackendUnavailableError
from tests.support.media import bursts
from tests.support.tiny_whisper import write_tiny_whisper

OPEN = {"min_logprob": -1e3, "max_compression": 1e3}  # random words must pass the filters


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


def test_long_sound_is_heard_in_windows_and_batches_make_no_difference(model):
    sound = bursts(75)
    one = list(build(model, batch_size=1).transcribe([sound]))
    assert max(segment.end_s for segment in one) > 60
    many = list(build(model, batch_size=3).transcribe([sound]))
    assert [(s.start_s, s.end_s, s.text) for s in one] == [
        (s.start_s, s.end_s, s.text) for s in many
    ]


def test_windows_that_look_made_up_are_dropped(model):
    assert list(build(model, min_logprob=-0.5).transcribe([bursts(10)])) == []
    assert list(build(model, max_compression=1.0001).transcribe([bursts(10)])) == []


def test_what_changes_a_text_changes_the_version_and_nothing_else_does(model, tmp_path):
    version = build(model).version
    assert build(model, batch_size=2, device="cpu").version == version
    assert build(model, language="de").version != version
    assert build(write_tiny_whisper(tmp_path / model.name, seed=1)).version != version


def test_an_english_only_model_says_so_and_refuses_another_language(tmp_path):
    folder = write_tiny_whisper(tmp_path, multilingual=False)
    assert build(folder).language == "en"
    assert list(build(folder).transcribe([bursts(10)]))
    with pytest.raises(BackendUnavailableError, match="expected language en"):
        _ = build(folder, language="de").language


def test_a_set_language_is_used(model):
    assert build(model, language="de").language == "de"
    assert list(build(model, language="de").transcribe([bursts(10)]))


def test_a_model_without_time_stamps_gives_one_segment_per_span(tmp_path):
    folder = write_tiny_whisper(tmp_path)
    config = json.loads((folder / "generation_config.json").read_text())
    del config["no_timestamps_token_id"]
    (folder / "generation_config.json").write_text(json.dumps(config))
    found = list(build(folder).transcribe([np.concatenate([bursts(10), np.zeros(32000, "f4")])]))
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
