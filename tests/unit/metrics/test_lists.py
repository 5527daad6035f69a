from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plmrec.errors import ShapeError
from plmrec.metrics.lists import NO_ITEM, top_k


def test_the_best_come_first_and_seen_ones_not_at_all():
    scores = np.array([[0.1, 0.9, 0.5, 0.7]], dtype=np.float32)
    seen = np.array([[False, True, False, False]])
    items, best = top_k(scores, seen, 2)
    assert items.tolist() == [[3, 2]]
    assert best.tolist() == [[np.float32(0.7), np.float32(0.5)]]


def test_a_short_list_ends_with_no_item():
    items, best = top_k(np.zeros((1, 3), np.float32), np.array([[True, True, False]]), 3)
    assert items.tolist() == [[2, NO_ITEM, NO_ITEM]]
    assert np.isneginf(best[0, 1:]).all()


def test_a_list_longer_than_the_catalogue_is_filled_up():
    items, _ = top_k(np.array([[1.0, 2.0]], dtype=np.float32), None, 4)
    assert items.tolist() == [[1, 0, NO_ITEM, NO_ITEM]]


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=9, max_size=9), min_size=1, max_size=4),
    st.integers(1, 9),
)
def test_ties_go_to_the_earlier_item_as_in_a_stable_sort(rows, k):
    scores = np.array(rows, dtype=np.float32)
    items, _ = top_k(scores, None, k)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(items, expected)


def test_refuses_a_mask_of_another_shape():
    with pytest.raises(ShapeError, match="top_k"):
        top_k(np.zeros((2, 3), np.float32), np.zeros((2, 2), bool), 1)
