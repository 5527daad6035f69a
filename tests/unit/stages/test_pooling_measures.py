from __future__ import annotations

import numpy as np
import pytest

from plmrec.params import DocumentParams
from plmrec.stages.pooling import Pieces, pool
from plmrec.stages.pooling_measures import find_by_missing, judge_topics

AXES = np.eye(4, dtype=np.float32)


def item(*vectors: np.ndarray) -> Pieces:
    parts = ["header", *["speech"] * (len(vectors) - 1)]
    return Pieces(vectors=np.stack(vectors), parts=parts, confidences=[None] * len(vectors))


def test_topics_are_judged_by_the_items_nearest_to_them() -> None:
    likeness = np.array([[0.9, 0.1, 0.8], [0.9, 0.1, 0.8]], dtype=np.float32)
    members = [np.array([0, 2]), np.array([1])]
    found = judge_topics(likeness, members, 2)
    assert found.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("pooling", ["parts", "mean", "max", "attention"])
def test_an_item_is_found_by_a_passage_that_only_its_other_passages_tell_of(pooling: str) -> None:
    params = DocumentParams(pooling=pooling)
    pieces = [item(AXES[0], AXES[1], AXES[1]), item(AXES[2], AXES[3])]
    vectors = np.stack([pool(each, params) for each in pieces])
    assert find_by_missing(pieces, [0], vectors, params).tolist() == [1.0]


def test_a_passage_does_not_find_its_item_by_itself() -> None:
    params = DocumentParams(pooling="mean")
    # nothing else in the first item is like its last passage, which is what the second is about
    pieces = [item(AXES[0], AXES[1], AXES[2]), item(AXES[2], AXES[2])]
    vectors = np.stack([pool(each, params) for each in pieces])
    assert find_by_missing(pieces, [0], vectors, params).tolist() == [0.5]
