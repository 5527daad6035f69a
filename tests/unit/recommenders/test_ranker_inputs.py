from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from plmrec.histories import Histories
from plmrec.recommenders._ranker_inputs import (
    ItemCounts,
    batches,
    cut_windows,
    days_idle,
    deal_entries,
    item_numbers,
    last_entries,
    next_user_numbers,
    step_signs,
    user_numbers,
)
from tests.support.tastes import make_data, make_histories

DAY = 86_400.0


def log_odds(share: float) -> float:
    return math.log(share / (1 - share))


@pytest.fixture
def two() -> Histories:
    rows = [[(0, 1.0, 0.0), (1, -1.0, 2 * DAY), (2, 0.3, 2 * DAY)], [], [(1, 1.0, DAY)]]
    return make_histories(rows, 4)


def test_a_user_is_described_by_what_came_before(two: Histories):
    # shares start with 5 entries of the mean rate 0.4
    odds = [log_odds(0.4), log_odds((1 + 2) / 6), log_odds((1 + 2) / 7), log_odds(0.4)]
    found = user_numbers(two, 0.4)
    np.testing.assert_allclose(found[:, 0], odds)
    np.testing.assert_allclose(found[:, 1], np.log1p([0, 1, 2, 0]))
    np.testing.assert_allclose(found[:, 2], np.log1p([0, 2, 0, 0]), atol=1e-12)


def test_what_comes_next_is_described_by_everything(two: Histories):
    found = next_user_numbers(two, 0.4)
    np.testing.assert_allclose(found[:, 0], [log_odds((2 + 2) / 8), log_odds(0.4), log_odds(3 / 6)])
    np.testing.assert_allclose(found[:, 1], np.log1p([3, 0, 1]))
    np.testing.assert_array_equal(found[:, 2], 0.0)


def test_steps_say_how_they_were_liked_and_when(two: Histories):
    idle = math.log1p(2)
    np.testing.assert_allclose(
        step_signs(two), [[1, 1, 0], [-1, -1, idle], [0.3, 1, 0], [1, 1, 0]], atol=1e-12
    )


def test_unknown_times_are_no_time_at_all():
    undated = make_histories([[(0, 1.0, math.nan), (1, 1.0, math.nan)], [(0, 1.0, 5.0)]], 2)
    assert days_idle(undated).tolist() == [0.0, 0.0, 0.0]


def test_an_item_is_described_by_its_counts(two: Histories):
    counts = ItemCounts.of(two, np.array([True, True, False, True]))
    assert counts.met.tolist() == [1, 2, 0, 0]
    assert counts.liked.tolist() == [1, 1, 0, 0]
    assert counts.rate == 3 / 5  # two likes of three entries, and one imagined of each
    found = counts.numbers(np.array([1, 3]))
    np.testing.assert_allclose(found, [[log_odds((1 + 3) / 7), np.log1p(2)], [log_odds(0.6), 0]])


def test_no_count_knows_the_entry_it_describes_nor_its_user():
    histories = make_data().histories
    everything = np.ones(len(histories.items), dtype=bool)
    before = item_numbers(histories, everything, folds=5, seed=1)
    mine = histories.users == 7
    turned = dataclasses.replace(
        histories, weights=np.where(mine, -histories.weights, histories.weights)
    )
    after = item_numbers(turned, everything, folds=5, seed=1)
    np.testing.assert_array_equal(after[mine], before[mine])
    assert (after[~mine] != before[~mine]).any()


def test_entries_that_may_not_be_counted_are_not():
    histories = make_data().histories
    learnt, _, _ = deal_entries(histories, 0.3, 1)
    turned = np.where(learnt, 1.0, -1.0) * histories.weights
    np.testing.assert_array_equal(
        item_numbers(dataclasses.replace(histories, weights=turned), learnt, folds=3, seed=1),
        item_numbers(histories, learnt, folds=3, seed=1),
    )


@pytest.mark.parametrize("length", [1, 3, 4, 50])
def test_windows_hold_every_wanted_entry_once_with_what_leads_up_to_it(length: int):
    histories = make_histories(
        [[(item, 1.0, float(item)) for item in range(n)] for n in (0, 1, 7, 12)], 12
    )
    wanted = np.random.default_rng(3).random(20) < 0.6
    seen: list[int] = []
    for window in batches(cut_windows(histories, wanted, length), 30, np.random.default_rng(1)):
        for entries, targets in zip(window.entries, window.targets, strict=True):
            real = entries[entries >= 0]
            np.testing.assert_array_equal(np.diff(real), 1)
            assert (entries[len(real) :] == -1).all()
            assert len(entries) <= 2 * length
            assert len(set(histories.users[real])) == 1
            for step in np.flatnonzero(targets):
                entry = int(entries[step])
                seen.append(entry)
                before = entry - histories.indptr[histories.users[entry]]
                assert step >= min(before, length)
    assert sorted(seen) == np.flatnonzero(wanted).tolist()


def test_the_last_entries_are_dealt_out_and_no_user_is_both_checked_and_reported_on():
    histories = make_data().histories  # 60 users of 9 entries
    learnt, checked, reported = deal_entries(histories, 0.2, 4)
    np.testing.assert_array_equal(learnt.astype(int) + checked + reported, 1)
    assert (histories.ranks_from_end()[~learnt] < 2).all()
    assert 0.15 < np.mean(~learnt) < 0.25
    assert not set(histories.users[checked]) & set(histories.users[reported])
    assert min(checked.sum(), reported.sum()) > 30


def test_undated_entries_are_dealt_by_chance():
    histories = make_data(dated=False).histories
    learnt, _, _ = deal_entries(histories, 0.2, 4)
    assert set(histories.ranks_from_end()[~learnt]) == set(range(9))


def test_the_last_entries_are_in_order_and_padded(two: Histories):
    entries, counts = last_entries(two, 2)
    assert entries.tolist() == [[1, 2], [-1, -1], [3, -1]]
    assert counts.tolist() == [2, 0, 1]
    assert last_entries(Histories.empty(("u",), 4), 2)[0].shape == (1, 0)
