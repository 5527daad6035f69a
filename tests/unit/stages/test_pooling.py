from __future__ import annotations

import numpy as np
import pytest

from plmrec.params import DocumentParams
from plmrec.stages.pooling import POOLINGS, Pieces, attend, pool, weigh_parts

AXES = np.eye(4, dtype=np.float32)


def pieces(vectors: np.ndarray, parts: list[str], confidences=None) -> Pieces:
    return Pieces(vectors=vectors, parts=parts, confidences=confidences or [None] * len(parts))


def pooled(how: str, vectors: np.ndarray, parts: list[str], **options) -> np.ndarray:
    return pool(pieces(vectors, parts), DocumentParams(pooling=how, **options))


@pytest.mark.parametrize("how", POOLINGS)
def test_a_header_alone_is_the_item(how: str) -> None:
    np.testing.assert_allclose(pooled(how, AXES[:1], ["header"], header_share=0.3), AXES[0])


def test_weights_are_by_part_and_then_by_passage() -> None:
    parts = ["header", "description", "speech", "speech"]
    # header 0.6, description and speech 0.2 each, each spoken passage 0.1
    np.testing.assert_allclose(weigh_parts(parts, 0.6), [0.6, 0.2, 0.1, 0.1])
    expected = np.array([0.6, 0.2, 0.1, 0.1]) / np.sqrt(0.36 + 0.04 + 0.01 + 0.01)
    found = pooled("parts", AXES, parts, header_share=0.6)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("how", ["parts", "mean", "attention"])
def test_passages_that_cancel_out_leave_the_header(how: str) -> None:
    vectors = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    vector = pooled(how, vectors, ["header", "speech"], header_share=0.5)
    np.testing.assert_allclose(vector, vectors[0])


def test_the_mean_weighs_all_passages_alike_and_max_takes_the_largest_of_each_number() -> None:
    vectors = np.array([[0.8, 0.6], [0.6, 0.8], [0.6, 0.8]], dtype=np.float32)
    parts = ["header", "speech", "speech"]
    np.testing.assert_allclose(
        pooled("mean", vectors, parts), np.array([2.0, 2.2]) / np.hypot(2.0, 2.2), atol=1e-6
    )
    np.testing.assert_allclose(pooled("max", vectors, parts), np.sqrt([0.5, 0.5]), atol=1e-6)


def test_attention_passes_over_what_is_unlike_the_item() -> None:
    about, other = np.array([1, 0], dtype=np.float32), np.array([0, 1], dtype=np.float32)
    weights = attend(pieces(np.stack([about, about, other]), ["header", "speech", "speech"]))
    assert weights.sum() == pytest.approx(1)
    assert weights[2] < 0.01
    assert weights[0] == pytest.approx(weights[1])  # both are the first of their part


def test_attention_weighs_by_place_and_by_how_surely_it_was_heard() -> None:
    same = np.repeat(AXES[:1], 5, axis=0)
    parts = ["header", "speech", "speech", "speech", "speech"]
    found = attend(pieces(same, parts, [None, 1.0, 1.0, 0.2, 1.0]))
    expected = np.array([1, 1, 5 / 6, 0.2 * 4 / 6, 0.5])
    np.testing.assert_allclose(found, expected / expected.sum())


def test_attention_to_what_was_heard_without_any_confidence_is_even() -> None:
    found = attend(pieces(AXES[:2], ["header", "speech"], [0.0, 0.0]))
    np.testing.assert_allclose(found, [0.5, 0.5])
