from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from plmrec.errors import ShapeError
from plmrec.metrics.significance import holm, paired_p_value


class TestPairedPValue:
    def test_is_that_of_students_t_test_for_many_users(self):
        rng = np.random.default_rng(4)
        ours, theirs = rng.normal([[0.06], [0.0]], 1.0, size=(2, 800))
        found = paired_p_value(ours, theirs, rng=np.random.default_rng(1))
        assert 0.05 < found < 0.95  # neither of the ends, where anything agrees
        assert found == pytest.approx(stats.ttest_rel(ours, theirs).pvalue, abs=0.02)

    def test_raises_a_false_alarm_about_as_often_as_its_level_says(self):
        rng = np.random.default_rng(6)
        alarms = sum(
            paired_p_value(*rng.normal(size=(2, 40)), rng=rng, n_resamples=400) <= 0.1
            for _ in range(300)
        )
        assert 15 <= alarms <= 46  # 10 % of 300, give or take three deviations

    def test_is_the_smallest_possible_for_a_gain_of_every_user(self):
        users = np.random.default_rng(3).normal(size=50)
        found = paired_p_value(users + 0.1, users, rng=np.random.default_rng(1), n_resamples=99)
        assert found == 1 / 100

    def test_swapping_the_two_changes_nothing(self):
        ours, theirs = np.random.default_rng(5).normal(size=(2, 30))
        found = [
            paired_p_value(*pair, rng=np.random.default_rng(1), n_resamples=500)
            for pair in ((ours, theirs), (theirs, ours))
        ]
        assert found[0] == found[1]

    def test_users_without_a_value_are_left_out(self):
        ours, theirs = np.random.default_rng(5).normal(size=(2, 30))
        more = paired_p_value(
            np.append(ours, np.nan), np.append(theirs, 1.0), rng=np.random.default_rng(1)
        )
        assert more == paired_p_value(ours, theirs, rng=np.random.default_rng(1))
        assert np.isnan(paired_p_value(ours[:1], theirs[:1], rng=np.random.default_rng(1)))

    def test_refuses_other_users(self):
        with pytest.raises(ShapeError):
            paired_p_value(np.zeros(2), np.zeros(3), rng=np.random.default_rng(1))


class TestHolm:
    def test_by_hand(self):
        # sorted .01 .02 .03 .04, times 4 3 2 1: .04 .06 .06 .04, never below the one before
        np.testing.assert_allclose(
            holm(np.array([0.03, 0.01, 0.04, 0.02])), [0.06, 0.04, 0.06, 0.06]
        )

    def test_tests_that_could_not_be_made_do_not_count(self):
        found = holm(np.array([np.nan, 0.02, 0.01]))
        assert np.isnan(found[0])
        np.testing.assert_allclose(found[1:], [0.02, 0.02])

    def test_an_empty_family_stays_empty(self):
        assert holm(np.zeros(0)).shape == (0,)

    @given(
        st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8), st.sampled_from([0.01, 0.05, 0.2])
    )
    def test_rejects_what_the_step_down_procedure_rejects(self, p_values, level):
        rejected, left = set(), sorted(range(len(p_values)), key=p_values.__getitem__)
        while left and p_values[left[0]] * len(left) <= level:
            rejected.add(left.pop(0))
        found = holm(np.array(p_values))
        assert {n for n, p in enumerate(found) if p <= level} == rejected
