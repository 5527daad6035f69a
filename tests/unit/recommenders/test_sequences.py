from __future__ import annotations

import numpy as np
import pytest

from plmrec.recommenders._sequences import (
    Proposal,
    cut_windows,
    make_batches,
    pad,
    shuffle_ties,
)
from tests.support.tastes import make_histories

INDPTR = np.array([0, 5, 5, 6, 29])  # rows of 5, 0, 1 and 23 entries


def predicted(starts: np.ndarray, stops: np.ndarray) -> list[int]:
    return sorted(entry for a, b in zip(starts, stops, strict=True) for entry in range(a + 1, b))


def test_only_entries_of_one_moment_change_places():
    rows = [[(0, 1.0, 5.0), (1, 1.0, 5.0), (2, 1.0, 5.0), (3, 1.0, 4.0)], [(1, 1.0, 5.0)]]
    read, rng = make_histories(rows, 4), np.random.default_rng(0)
    orders = [read.items[shuffle_ties(read, rng)].tolist() for _ in range(50)]
    assert {(order[0], order[-1]) for order in orders} == {(3, 1)}
    assert len({tuple(order) for order in orders}) == 6  # every order of three


def test_entries_without_a_time_have_no_order():
    read, rng = make_histories([[(n, 1.0, np.nan) for n in range(3)]], 3), np.random.default_rng(0)
    assert len({tuple(shuffle_ties(read, rng)) for _ in range(50)}) == 6


@pytest.mark.parametrize("length", [1, 2, 4, 7, 100])
def test_every_entry_but_a_rows_first_is_predicted_in_one_window(length: int):
    for seed in range(5):
        starts, stops = cut_windows(INDPTR, length, np.random.default_rng(seed))
        assert predicted(starts, stops) == [1, 2, 3, 4, *range(7, 29)]
        assert (stops - starts).max() <= length + 1
        assert (stops - starts).min() >= 2


def test_long_rows_are_cut_at_other_places_each_time():
    rng = np.random.default_rng(0)
    firsts = {tuple(cut_windows(INDPTR, 7, rng)[0]) for _ in range(20)}
    assert len(firsts) > 1


def test_no_rows_give_no_windows():
    starts, stops = cut_windows(np.array([0]), 3, np.random.default_rng(0))
    assert len(starts) == len(stops) == 0


def test_batches_hold_windows_of_like_length_each_once():
    lengths = np.array([9, 2, 3, 9, 2, 8, 3, 2])
    batches = list(make_batches(lengths, 9, np.random.default_rng(3)))
    assert sorted(np.concatenate(batches)) == list(range(8))
    assert max(np.ptp(lengths[batch]) for batch in batches) <= 1
    assert all(lengths[batch].sum() <= 9 + lengths[batch].max() for batch in batches)


def test_batches_come_shortest_first_without_a_generator():
    lengths = np.array([5, 1, 3])
    assert [batch.tolist() for batch in make_batches(lengths, 1)] == [[1], [2], [0]]
    assert list(make_batches(np.zeros(0, dtype=np.int64), 4)) == []


def test_pads_on_the_right():
    values = np.array([10, 11, 12, 13])
    laid = pad(values, np.array([0, 3, 2]), np.array([3, 4, 2]), -1)
    np.testing.assert_array_equal(laid, [[10, 11, 12], [13, -1, -1], [-1, -1, -1]])


def test_draws_in_proportion_to_the_power_of_counts():
    proposal = Proposal.of_counts(np.array([1, 16, 81]), power=0.5)  # weights 1, 4, 9
    np.testing.assert_allclose(proposal.probabilities, np.array([1, 4, 9]) / 14)
    items, log_expected = proposal.draw(70_000, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(items), [5_000, 20_000, 45_000], rtol=0.05)
    np.testing.assert_allclose(np.exp(log_expected[items == 2]), 45_000)
