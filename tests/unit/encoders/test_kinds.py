"""Kinds of models, each against what sentence-transformers makes of the same folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.encoders.base import Encoder, encode_queries
from plmrec.errors import BackendUnavailableError, ParamsError
from tests.support import tiny_models

SHORT = ["space ship", "the king and the sea, in a storm.", "bread", "", "bread"]
LONG = [
    "love in paris, music in the night. " * 12,  # 110 tokens
    "the baker and the robot dream of a city. " * 40,  # 400
    "secret agent river storm space. " * 20,  # 120
]


def build(folder: Path | str, **options: object) -> Encoder:
    chosen = {"model": str(folder), "dtype": "float32", **options}
    return build_backend("encoders", "transformer", chosen)


def theirs(folder: Path, texts: list[str], **how: object) -> np.ndarray:
    """What sentence-transformers computes, one text at a time and so without padding."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    if model.tokenizer.pad_token is None:
        model.tokenizer.pad_token = "[UNK]"
    encoded = [model.encode([text], normalize_embeddings=True, **how)[0] for text in texts]
    return np.stack(encoded)


def same(ours: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(ours, expected, atol=1e-5)


KINDS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "bert, mean": (lambda at: tiny_models.save_bert(at, pooling=None), "mean_tokens"),
    "bert, first token": (lambda at: tiny_models.save_bert(at, pooling=None), "cls_token"),
    "roberta, mean": (tiny_models.save_roberta, "mean_tokens"),
    "bert, maximum": (lambda at: tiny_models.save_bert(at, pooling=None), "max_tokens"),
    "bert, root": (lambda at: tiny_models.save_bert(at, pooling=None), "mean_sqrt_len_tokens"),
    "gpt, last token": (tiny_models.save_gpt, "lasttoken"),
    "gpt, weighted mean": (tiny_models.save_gpt, "weightedmean_tokens"),
    "longformer, mean": (tiny_models.save_longformer, "mean_tokens"),
    "big bird, mean": (tiny_models.save_big_bird, "mean_tokens"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_gives_what_sentence_transformers_gives(kind: str, tmp_path: Path) -> None:
    save, pooling = KINDS[kind]
    tiny_models.save_sentence_files(save(tmp_path), pooling=pooling)
    texts = [text for text in SHORT if text or "gpt" not in kind]  # theirs fails on no token
    same(build(tmp_path).encode(texts), theirs(tmp_path, texts))


@pytest.mark.parametrize("save", [tiny_models.save_longformer, tiny_models.save_big_bird])
def test_long_inputs_are_read_whole(save: Callable[[Path], Path], tmp_path: Path) -> None:
    tiny_models.save_sentence_files(save(tmp_path), max_tokens=1024)
    encoder = build(tmp_path, max_tokens=1024)
    assert encoder.max_tokens == 1024 - 2
    texts = [*SHORT, *LONG]
    together = encoder.encode(texts)
    same(together, np.concatenate([theirs(tmp_path, [text]) for text in texts]))
    # what stands beside a text, before or in its batch, changes nothing
    same(together, np.concatenate([encoder.encode([text]) for text in texts]))


def test_a_longformer_by_itself_lets_all_tokens_see_the_first(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = tiny_models.save_longformer(tmp_path)
    inputs = AutoTokenizer.from_pretrained(folder)(LONG[0], return_tensors="pt")
    inputs.pop("token_type_ids", None)
    seen = torch.zeros_like(inputs["input_ids"])
    seen[:, 0] = 1
    with torch.inference_mode():
        model = AutoModel.from_pretrained(folder).eval()
        states = model(**inputs, global_attention_mask=seen).last_hidden_state[0].numpy()
    expected = states[0] / np.linalg.norm(states[0])
    same(build(folder, pooling="cls").encode([LONG[0]])[0], expected)


def test_a_model_without_a_limit_of_its_own_reads_512_tokens(tmp_path: Path) -> None:
    assert build(tiny_models.save_longformer(tmp_path)).max_tokens == 512 - 2


def test_more_tokens_than_the_model_has_positions_are_refused(tmp_path: Path) -> None:
    folder = tiny_models.save_longformer(tmp_path)
    with pytest.raises(ParamsError, match="at most 1024"):
        build(folder, max_tokens=1025)


def test_a_dense_step_after_pooling_is_taken(tmp_path: Path) -> None:
    folder = tiny_models.save_bert(tmp_path, pooling=None)
    tiny_models.save_sentence_files(folder, dense=12)
    encoder = build(folder)
    assert encoder.dim == 12
    same(encoder.encode(SHORT), theirs(folder, SHORT))
    before = encoder.fingerprint
    tiny_models.save_dense_step(folder / "2_Dense", 32, 12)  # other random weights
    assert build(folder).fingerprint != before


def test_a_dense_step_in_pickle_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.save_bert(tmp_path, pooling=None)
    tiny_models.save_sentence_files(folder, dense=12)
    (folder / "2_Dense" / "model.safetensors").rename(folder / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(BackendUnavailableError, match="safetensors"):
        build(folder).encode(SHORT)


def test_prefixes_of_questions_and_passages_are_those_of_the_files(tmp_path: Path) -> None:
    folder = tiny_models.save_bert(tmp_path)
    config = {"prompts": {"query": "king: ", "passage": "sea: "}, "default_prompt_name": None}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(config))
    encoder = build(folder)
    same(encoder.encode(SHORT), theirs(folder, SHORT, prompt_name="passage"))
    same(encode_queries(encoder, SHORT), theirs(folder, SHORT, prompt_name="query"))


def test_the_default_prompt_of_the_files_stands_before_passages(tmp_path: Path) -> None:
    folder = tiny_models.save_bert(tmp_path)
    config = {"prompts": {"plot": "night: "}, "default_prompt_name": "plot"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(config))
    same(build(folder).encode(SHORT), theirs(folder, SHORT))


def test_a_hub_name_is_fetched_at_its_revision_without_pickle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_models.save_bert(tmp_path / "snapshot")
    asked: list[tuple[str, object, list[str]]] = []

    def download(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((name, revision, allow_patterns))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    encoder = build("owner/tiny-bert", revision="a" * 40)
    assert encoder.name == "owner/tiny-bert"
    same(encoder.encode(SHORT), build(folder).encode(SHORT))
    name, revision, patterns = asked[0]
    assert (name, revision) == ("owner/tiny-bert", "a" * 40)
    assert "*.safetensors" in patterns
    assert not [pattern for pattern in patterns if pattern.endswith((".bin", ".pt", ".py"))]


def test_code_that_a_folder_brings_is_not_run(tmp_path: Path) -> None:
    folder = tiny_models.save_bert(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoModel": "mine.Mine", "AutoConfig": "mine.C"}}
    (folder / "config.json").write_text(json.dumps(config))
    ran = tmp_path / "ran"
    (folder / "mine.py").write_text(f"open({str(ran)!r}, 'w')\nclass C: ...\nclass Mine: ...\n")
    with pytest.raises(BackendUnavailableError, match="cannot load"):
        build(folder).encode(SHORT)
    assert not ran.exists()


def test_a_folder_that_lowers_case_says_so(tmp_path: Path) -> None:
    folder = tiny_models.save_bert(tmp_path / "model")
    # words are only known in lower case, and nothing else lowers them
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer | {"normalizer": None}))
    lowering = Path(shutil.copytree(folder, tmp_path / "lowering"))
    limits = {"max_seq_length": 24, "do_lower_case": True}
    (lowering / "sentence_bert_config.json").write_text(json.dumps(limits))
    lower, upper = build(folder).encode(["space ship", "SPACE SHIP"])
    assert not np.allclose(lower, upper, atol=1e-3)
    same(build(lowering).encode(["SPACE SHIP"])[0], lower)
