from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plmrec.backends import backend_names, build_backend
from plmrec.encoders.base import Encoder, encode_queries
from tests.support import tiny_models

TEXTS = [
    "the crew of the space ship",
    "a storm",
    "bread",
    "",
    "love in paris, and music in the night. " * 30,
    "שלום עולם 🙂 日本語",
    "the baker and the king",
]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module", params=backend_names("encoders"))
def build(request: pytest.FixtureRequest, model_folder: Path) -> Callable[[], Encoder]:
    options = {"transformer": {"model": str(model_folder), "batch_size": 3, "dtype": "float32"}}
    return lambda: build_backend("encoders", request.param, options.get(request.param, {}))


@pytest.fixture(scope="module")
def encoder(build: Callable[[], Encoder]) -> Encoder:
    return build()


def test_keeps_the_protocol(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert encoder.name
    assert encoder.dim > 0
    assert encoder.max_tokens > 0
    int(encoder.fingerprint, 16)


def test_rows_are_float32_unit_vectors_one_per_text(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), encoder.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_no_texts_give_no_rows(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)
    assert encoder.count_tokens([]) == []


def test_a_row_depends_on_its_text_alone_and_keeps_its_place(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    backwards = encoder.encode(TEXTS[::-1])[::-1]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together, backwards, atol=1e-5)


def test_different_words_give_different_vectors(encoder: Encoder) -> None:
    first, second = encoder.encode(["the space ship", "bread and music"])
    assert float(first @ second) < 0.99


def test_what_lies_beyond_max_tokens_does_not_matter(encoder: Encoder) -> None:
    room = "storm " * encoder.max_tokens
    assert encoder.count_tokens([room]) == [encoder.max_tokens]
    cut, longer = encoder.encode([room, room + "bread " * 50])
    np.testing.assert_allclose(cut, longer, atol=1e-5)
    inside, other = encoder.encode(["storm " * (encoder.max_tokens - 1) + "bread", room])
    assert not np.allclose(inside, other, atol=1e-5)


def test_counts_tokens_without_special_tokens(encoder: Encoder) -> None:
    assert encoder.count_tokens(["", "bread", "the king and the sea"]) == [0, 1, 5]


def test_built_twice_it_is_the_same_encoder(encoder: Encoder, build: Callable[[], Encoder]) -> None:
    again = build()
    assert again.fingerprint == encoder.fingerprint
    np.testing.assert_allclose(again.encode(TEXTS), encoder.encode(TEXTS), atol=1e-6)


def test_any_encoder_answers_queries(encoder: Encoder) -> None:
    assert encode_queries(encoder, ["space"]).shape == (1, encoder.dim)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_any_unicode_text_has_a_unit_vector(encoder: Encoder, texts: list[str]) -> None:
    vectors = encoder.encode(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
