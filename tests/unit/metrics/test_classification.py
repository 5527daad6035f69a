from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from plmrec.errors import ShapeError
from plmrec.metrics.classification import classify_lists


def test_agrees_with_scikit_learn_on_every_candidate():
    rng = np.random.default_rng(0)
    for _ in range(20):
        truth, listed = rng.random(30) < 0.3, np.zeros(30, bool)
        listed[rng.permutation(30)[:10]] = True
        truth[0] = True
        found = classify_lists(
            truth[listed][None, :], np.array([10]), np.array([truth.sum()]), np.array([30])
        )
        expected = (
            accuracy_score(truth, listed),
            precision_score(truth, listed),
            recall_score(truth, listed),
            f1_score(truth, listed),
        )
        assert [value[0] for value in found] == pytest.approx(expected)


def test_users_without_relevant_items_are_not_judged():
    found = classify_lists(np.array([[False]]), np.array([1]), np.array([0]), np.array([5]))
    assert all(np.isnan(value[0]) for value in found)


def test_refuses_counts_of_other_users():
    with pytest.raises(ShapeError):
        classify_lists(np.zeros((2, 1), bool), np.array([1]), np.array([1]), np.array([1]))
