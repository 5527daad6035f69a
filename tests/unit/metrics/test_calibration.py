from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from plmrec.errors import ShapeError
from plmrec.metrics.calibration import Platt, calibration_error, fit_platt


def test_error_is_the_mean_gap_of_bins_of_equal_size():
    probabilities = np.array([0.9, 0.1, 0.8, 0.3])
    happened = np.array([True, False, False, True])
    # bins {0.1, 0.3} and {0.8, 0.9}: |0.2 - 0.5| and |0.85 - 0.5|
    assert calibration_error(probabilities, happened, bins=2) == pytest.approx((0.3 + 0.35) / 2)


def test_equal_predictions_share_a_bin():
    happened = np.arange(10) < 3
    assert calibration_error(np.full(10, 0.3), happened, bins=5) == pytest.approx(0.0)
    assert calibration_error(np.full(10, 0.7), happened, bins=5) == pytest.approx(0.4)


def test_probabilities_that_come_true_have_hardly_any_error():
    rng = np.random.default_rng(2)
    probabilities = rng.random(100_000)
    happened = rng.random(100_000) < probabilities
    assert calibration_error(probabilities, happened) < 0.01
    assert calibration_error(probabilities**2, happened) > 0.1


def test_platt_is_a_logistic_regression_without_penalty():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=5000)
    happened = rng.random(5000) < 1 / (1 + np.exp(-(0.4 * logits - 1.0)))
    model = LogisticRegression(C=np.inf).fit(logits[:, None], happened)
    found = fit_platt(logits, happened)
    assert found.slope == pytest.approx(model.coef_[0, 0], abs=5e-3)
    assert found.offset == pytest.approx(model.intercept_[0], abs=5e-3)


def test_platt_mends_a_classifier_that_is_too_sure():
    rng = np.random.default_rng(4)
    truth = rng.normal(size=20_000)
    happened = rng.random(20_000) < 1 / (1 + np.exp(-truth))
    sure = 4.0 * truth + 1.0
    before = calibration_error(Platt(1.0, 0.0).apply(sure), happened)
    after = calibration_error(fit_platt(sure, happened).apply(sure), happened)
    assert before > 0.1
    assert after < 0.02


def test_platt_stays_finite_where_the_classes_can_be_told_apart():
    logits = np.array([-2.0, -1.0, 1.0, 2.0])
    found = fit_platt(logits, logits > 0)
    # the targets are 3/4 and 1/4, and the line is odd: the best slope lies between those that
    # hit ln 3 at 1 and at 2
    assert np.log(3) / 2 < found.slope < np.log(3)
    assert found.offset == pytest.approx(0.0, abs=1e-6)


def test_platt_without_both_classes_changes_nothing():
    assert fit_platt(np.array([0.3, 2.0]), np.array([True, True])) == Platt(1.0, 0.0)
    assert fit_platt(np.zeros(0), np.zeros(0, dtype=bool)) == Platt(1.0, 0.0)


def test_platt_never_turns_an_order_around():
    logits = np.linspace(-3, 3, 50)
    found = fit_platt(logits, logits < 0)
    assert found.slope == 0.0
    assert found.apply(logits)[0] == pytest.approx(0.5)


def test_refuses_arrays_that_do_not_belong_together():
    with pytest.raises(ShapeError):
        calibration_error(np.zeros(2), np.zeros(3, dtype=bool))
    with pytest.raises(ShapeError):
        fit_platt(np.zeros(2), np.zeros(3, dtype=bool))
