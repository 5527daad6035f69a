from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.encoders import _batches
from plmrec.encoders._packed import can_pack
from plmrec.encoders.transformer import TransformerEncoder
from tests.support import tiny_models

TEXTS = [
    "space ship",
    "the king and the sea, in a storm.",
    "bread",
    "",
    "love in paris, and music in the night.",
    "bread",
    "the baker! the robot?",
]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_bert(tmp_path_factory.mktemp("bert"))


def build(folder: Path, **options: object) -> TransformerEncoder:
    return build_backend("encoders", "transformer", {"model": str(folder), **options})


def test_the_fingerprint_says_which_precision_made_the_vectors(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_name = {
        dtype: build(bert, dtype=dtype).fingerprint for dtype in ("float32", "bfloat16", "float16")
    }
    assert len(set(by_name.values())) == 3
    for feature, precision in (("avx512_bf16", "bfloat16"), ("avx2", "float32")):
        monkeypatch.setattr("plmrec.devices.processor_features", lambda found=feature: (found,))
        assert build(bert, device="cpu").fingerprint == by_name[precision]


def test_speed_settings_leave_the_fingerprint(bert: Path) -> None:
    assert build(bert, batch_tokens=7, batch_size=2).fingerprint == build(bert).fingerprint


@pytest.mark.parametrize("save", [tiny_models.save_bert, tiny_models.save_roberta])
def test_packed_texts_get_the_vectors_of_the_librarys_module(save, tmp_path, monkeypatch) -> None:
    folder = save(tmp_path)
    packed = build(folder, dtype="float32")
    assert not packed._model.padded
    monkeypatch.setattr("plmrec.encoders.transformer.can_pack", lambda config: False)
    padded = build(folder, dtype="float32")
    assert padded._model.padded
    # the padding token's own name is in one text: RoBERTa gives it no position
    texts = [*TEXTS, "a [PAD] ship [PAD] in the sea"]
    np.testing.assert_allclose(packed.encode(texts), padded.encode(texts), atol=2e-6)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "bert", "hidden_act": "relu"},
        {"model_type": "bert", "position_embedding_type": "relative_key"},
        {"model_type": "bert", "is_decoder": True},
        {"model_type": "mpnet"},
        {"model_type": "qwen3"},
    ],
)
def test_other_arithmetic_than_berts_is_left_to_the_library(config: dict[str, object]) -> None:
    assert can_pack({"model_type": "bert"})
    assert not can_pack(config)


def test_bfloat16_is_close_to_float32_and_the_same_on_every_run(bert: Path) -> None:
    exact = build(bert, dtype="float32").encode(TEXTS)
    encoder = build(bert, dtype="bfloat16")
    quick = encoder.encode(TEXTS)
    assert quick.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(quick, axis=1), 1.0, atol=1e-5)
    cosines = (quick * exact).sum(axis=1)
    assert cosines.min() > 0.99  # weights of this model are 20 times as wide as a real one's
    assert not np.array_equal(quick, exact)
    np.testing.assert_array_equal(encoder.encode(TEXTS), quick)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert (alone * quick).sum(axis=1).min() > 0.999


def test_a_stream_gives_the_rows_of_encode_window_by_window(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = build(bert, dtype="float32")
    whole = encoder.encode(TEXTS)
    monkeypatch.setattr(_batches, "WINDOW_TEXTS", 3)
    read = []
    stream = encoder.encode_stream(read.append(text) or text for text in TEXTS)
    first = next(stream)
    assert len(first) == 3
    assert len(read) <= 6  # one window is used, one is read ahead
    parts = [first, *stream]
    assert [len(part) for part in parts] == [3, 3, 1]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)
    assert list(encoder.encode_stream([])) == []


def test_a_text_that_comes_twice_is_computed_once(bert: Path) -> None:
    encoder = build(bert, dtype="float32")
    seen: list[int] = []
    states = encoder._model.states
    encoder._model.states = lambda batch: seen.append(len(batch)) or states(batch)
    vectors = encoder.encode(["bread", "space", "bread", "bread"])
    assert seen == [2]
    np.testing.assert_array_equal(vectors[0], vectors[3])


def test_batches_of_any_size_give_the_same_vectors(bert: Path) -> None:
    whole = build(bert, dtype="float32").encode(TEXTS)
    for options in ({"batch_tokens": 1}, {"batch_tokens": 20}, {"batch_size": 2}):
        parts = build(bert, dtype="float32", **options).encode(TEXTS)
        np.testing.assert_allclose(parts, whole, atol=1e-6)


@pytest.mark.slow
def test_the_default_model_in_bfloat16_is_as_good_as_in_float32() -> None:
    from plmrec.app.bench_embed import made_up_texts

    texts = made_up_texts(200)
    exact = build_backend("encoders", "transformer", {"dtype": "float32"}).encode(texts)
    quick = build_backend("encoders", "transformer", {"dtype": "bfloat16"}).encode(texts)
    cosines = (exact * quick).sum(axis=1)
    assert cosines.mean() > 0.999
    assert cosines.min() > 0.99
