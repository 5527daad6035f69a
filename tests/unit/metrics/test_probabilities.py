from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from plmrec.errors import ShapeError
from plmrec.metrics.probabilities import (
    area_under_curve,
    best_threshold,
    judge_probabilities,
    log_loss,
)


@pytest.fixture
def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(6)
    probabilities = rng.random(500).round(2)  # with ties
    return probabilities, rng.random(500) < probabilities


def test_metrics_are_those_of_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]):
    probabilities, happened = drawn
    found = judge_probabilities(probabilities, happened, 0.4)
    said = probabilities >= 0.4
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(happened, probabilities))
    clipped = np.clip(probabilities, 1e-7, 1 - 1e-7)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(happened, clipped))
    assert found["f1"] == pytest.approx(metrics.f1_score(happened, said))
    assert found["precision"] == pytest.approx(metrics.precision_score(happened, said))
    assert found["recall"] == pytest.approx(metrics.recall_score(happened, said))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(happened, said))
    assert (found["threshold"], found["n"]) == (0.4, 500.0)


def test_no_other_threshold_has_a_higher_f1(drawn: tuple[np.ndarray, np.ndarray]):
    probabilities, happened = drawn
    best = metrics.f1_score(happened, probabilities >= best_threshold(probabilities, happened))
    others = [metrics.f1_score(happened, probabilities >= cut) for cut in np.linspace(0, 1, 201)]
    assert best == pytest.approx(max(others))


def test_scores_that_say_nothing_have_half_the_area():
    assert area_under_curve(np.ones(4), np.array([True, False, True, False])) == 0.5


def test_a_wrong_certainty_costs_much_but_not_infinitely():
    assert log_loss(np.array([0.0]), np.array([True])) == pytest.approx(-math.log(1e-7))


def test_what_is_not_defined_is_nan():
    found = judge_probabilities(np.array([0.1, 0.2]), np.array([False, False]), 0.5)
    assert found["accuracy"] == 1.0
    assert all(math.isnan(found[name]) for name in ("precision", "recall", "f1", "auc"))
    empty = judge_probabilities(np.zeros(0), np.zeros(0, dtype=bool), 0.5)
    assert math.isnan(empty["accuracy"])
    assert math.isnan(empty["log_loss"])
    assert math.isnan(empty["calibration_error"])
    assert best_threshold(np.array([0.3]), np.array([False])) == 0.5


def test_refuses_arrays_that_do_not_belong_together():
    with pytest.raises(ShapeError):
        area_under_curve(np.zeros(2), np.zeros(3, dtype=bool))
