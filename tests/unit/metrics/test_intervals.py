from __future__ import annotations

import numpy as np
import pytest

from plmrec.errors import ShapeError
from plmrec.metrics.intervals import bootstrap_mean, paired_difference, paired_ratio


def test_the_interval_is_that_of_the_normal_approximation_for_many_users():
    values = np.random.default_rng(5).normal(1.0, 2.0, size=4000)
    found = bootstrap_mean(values, rng=np.random.default_rng(1), n_resamples=4000)
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    assert found.low == pytest.approx(values.mean() - half, abs=0.01)
    assert found.high == pytest.approx(values.mean() + half, abs=0.01)


def test_covers_the_true_mean_about_as_often_as_it_promises():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        found = bootstrap_mean(rng.normal(0.0, 1.0, size=60), rng=rng, n_resamples=300)
        covered += found.low <= 0.0 <= found.high
    assert 180 <= covered <= 199  # 95 % of 200, give or take chance


def test_pairing_sees_a_gain_that_the_spread_of_users_would_hide():
    users = np.random.default_rng(3).normal(0.0, 10.0, size=100)
    found = paired_difference(users + 0.1, users, rng=np.random.default_rng(1))
    assert found.low == pytest.approx(0.1)


def test_the_same_seed_gives_the_same_interval():
    values = np.arange(10.0)
    one, two = (bootstrap_mean(values, rng=np.random.default_rng(7)) for _ in range(2))
    assert one == two


def test_users_without_a_value_are_left_out():
    found = bootstrap_mean(np.array([1.0, np.nan, 1.0]), rng=np.random.default_rng(1))
    assert found == (1.0, 1.0, 1.0)
    assert np.isnan(bootstrap_mean(np.array([np.nan]), rng=np.random.default_rng(1)).mean)


def test_refuses_other_users():
    with pytest.raises(ShapeError):
        paired_difference(np.zeros(2), np.zeros(3), rng=np.random.default_rng(1))


class TestRatio:
    def test_agrees_with_the_delta_method_for_many_users(self):
        rng = np.random.default_rng(8)
        base = rng.gamma(2.0, 0.5, size=5000)
        ours = 1.25 * base + rng.normal(0.0, 0.3, size=5000)
        found = paired_ratio(ours, base, rng=np.random.default_rng(1), n_resamples=3000)
        ratio = ours.mean() / base.mean()
        half = 1.96 * (ours - ratio * base).std(ddof=1) / np.sqrt(5000) / base.mean()
        assert found.mean == ratio
        assert (found.low, found.high) == pytest.approx((ratio - half, ratio + half), abs=0.002)

    def test_pairing_makes_a_constant_factor_certain(self):
        base = np.random.default_rng(2).gamma(2.0, size=50)
        found = paired_ratio(1.5 * base, base, rng=np.random.default_rng(1))
        assert found == pytest.approx((1.5, 1.5, 1.5))

    def test_is_unknown_against_nothing(self):
        found = paired_ratio(np.ones(4), np.zeros(4), rng=np.random.default_rng(1))
        assert np.isnan(found).all()

    def test_has_no_upper_end_when_the_other_is_0_in_many_draws(self):
        base = np.array([1.0, *np.zeros(20)])
        found = paired_ratio(np.ones(21), base, rng=np.random.default_rng(1))
        assert (found.mean, found.high) == (21.0, np.inf)

    def test_refuses_other_users(self):
        with pytest.raises(ShapeError):
            paired_ratio(np.zeros(2), np.zeros(3), rng=np.random.default_rng(1))
