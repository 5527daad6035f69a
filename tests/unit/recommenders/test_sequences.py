from __future__ import annotations

import numpy as np
import pytest

from plmrec.recommenders._sequences import Proposal, cut_windows, make_batches, pad

INDPTR = np.array([0, 5, 5, 6, 29])  # rows of 5, 0, 1 and 23 entries


def predicted(starts: np.ndarray, stops: np.ndarray) -> list[int]:
    return sorted(entry for a, b in zip(starts, stops, strict=True) for entry in range(a + 1, b))


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
