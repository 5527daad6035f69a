from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from plmrec.errors import ShapeError
from plmrec.metrics.ranking import (
    coverage_at_k,
    find_hits,
    hit_rate_at_k,
    ndcg_at_k,
    novelty_at_k,
    recall_at_k,
    reciprocal_rank,
)


def test_hits_are_found_per_user_and_never_for_a_missing_item():
    items = np.array([[0, 1, 2], [2, 0, -1]])
    indptr, relevant = np.array([0, 1, 3]), np.array([1, 0, 1])
    assert find_hits(items, indptr, relevant).tolist() == [
        [False, True, False],
        [False, True, False],
    ]


class TestNdcg:
    def test_is_one_when_every_relevant_item_comes_first(self):
        hits = np.array([[True, True, False], [True, False, False]])
        assert ndcg_at_k(hits, np.array([2, 1]), 3).tolist() == [1.0, 1.0]

    def test_matches_a_value_worked_out_by_hand(self):
        # ranks 1 and 3 hit: (1/log2 2 + 1/log2 4) / (1/log2 2 + 1/log2 3) = 1.5 / 1.63093
        value = ndcg_at_k(np.array([[True, False, True]]), np.array([2]), 3)
        assert value[0] == pytest.approx(1.5 / (1 + 1 / math.log2(3)))

    def test_is_nan_for_a_user_without_relevant_items(self):
        assert np.isnan(ndcg_at_k(np.array([[False, False]]), np.array([0]), 2)[0])

    @given(st.permutations(range(8)), st.sets(st.integers(0, 7), min_size=1, max_size=7))
    def test_agrees_with_scikit_learn(self, order, relevant):
        truth = np.isin(np.arange(8), list(relevant))
        scores = np.empty(8)
        scores[list(order)] = np.arange(8, 0, -1)
        hits = truth[list(order)][None, :]
        expected = ndcg_score(truth[None, :].astype(float), scores[None, :], k=5)
        assert ndcg_at_k(hits, np.array([len(relevant)]), 5)[0] == pytest.approx(expected)


def test_recall_divides_by_all_relevant_items_not_by_the_list():
    hits = np.array([[True, False, True, True]])
    assert recall_at_k(hits, np.array([6]), 3)[0] == pytest.approx(2 / 6)


def test_reciprocal_rank_is_of_the_first_hit_within_k():
    hits = np.array([[False, False, True], [False, False, False]])
    assert reciprocal_rank(hits, np.array([1, 1]), 3).tolist() == [pytest.approx(1 / 3), 0.0]
    assert reciprocal_rank(hits, np.array([1, 1]), 2).tolist() == [0.0, 0.0]


def test_hit_rate_counts_users_not_hits():
    hits = np.array([[True, True], [False, False]])
    assert hit_rate_at_k(hits, np.array([2, 2]), 2).mean() == 0.5


def test_coverage_counts_each_item_once_and_missing_ones_never():
    assert coverage_at_k(np.array([[0, 1, -1], [1, 2, -1]]), 10, 3) == pytest.approx(0.3)


def test_novelty_is_higher_for_less_popular_items_and_finite_for_unknown_ones():
    counts = np.array([7.0, 0.0])  # 9 = 7 + 0 + two added; -log2(8/9), -log2(1/9)
    values = novelty_at_k(np.array([[0], [1]]), counts, 1)
    assert values.tolist() == [pytest.approx(-math.log2(8 / 9)), pytest.approx(math.log2(9))]


def test_refuses_hits_narrower_than_k():
    with pytest.raises(ShapeError, match="ndcg@3"):
        ndcg_at_k(np.zeros((1, 2), bool), np.array([1]), 3)
