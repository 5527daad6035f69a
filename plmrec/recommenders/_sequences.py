"""Histories as sequences for training: windows, batches of like length, padding, sampled items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from plmrec.histories import Floats, Histories, Ints


def shuffle_ties(read: Histories, rng: np.random.Generator) -> Ints:
    """An order of all entries that keeps users and times and is random where times are equal.

    Entries of one second have an order only by the place of their items in the catalogue, which
    says nothing about what comes next, yet could be learnt. Entries without a time are all equal.

    Returns:
        int64 (n,), entries of ``read``.
    """
    times = np.nan_to_num(read.times, nan=-np.inf)
    return np.lexsort((rng.random(len(times)), times, read.users))


def cut_windows(indptr: Ints, length: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Cut rows into windows so that each entry but a row's first is predicted in exactly one.

    A window of n entries predicts its last n - 1 from those before them, so that neighbouring
    windows share an entry. Rows longer than one window are cut at a random place, another one each
    time, so that no entry always comes first in its window.

    Args:
        indptr: int64 (n_rows + 1,), borders of the rows.
        length: Entries that are read per window, at least 1.
        rng: Of the places.

    Returns:
        int64 (n_windows,) each: first entry, and the one after the last.
    """
    steps = np.diff(indptr) - 1
    rows = np.flatnonzero(steps > 0)
    steps = steps[rows]
    places = rng.integers(1, length + 1, size=len(rows))
    first = np.where(steps <= length, steps, places)
    n_windows = 1 + -(-(steps - first) // length)
    row = np.repeat(np.arange(len(rows)), n_windows)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(n_windows) - n_windows, n_windows)
    stop = np.minimum(first[row] + nth * length, steps[row])
    start = np.where(nth == 0, 0, first[row] + (nth - 1) * length)
    offset = indptr[rows][row]
    return offset + start, offset + stop + 1


def make_batches(
    lengths: Ints, size: int, rng: np.random.Generator | None = None
) -> Iterator[Ints]:
    """Group windows of like length, about ``size`` entries to a group.

    Args:
        lengths: int64 (n_windows,), entries of each window.
        size: Entries per group, at least 1; a longer window is a group of its own.
        rng: Of the order of groups, and of windows of one length; shortest first without it.

    Yields:
        int64 (n,), windows of one group; each window comes once.
    """
    if not len(lengths):
        return
    ties = np.zeros(len(lengths)) if rng is None else rng.random(len(lengths))
    order = np.lexsort((ties, lengths))
    group = (np.cumsum(lengths[order]) - 1) // size
    groups = np.split(order, np.flatnonzero(np.diff(group)) + 1)
    places = np.arange(len(groups)) if rng is None else rng.permutation(len(groups))
    for place in places:
        yield groups[place]


def pad(values: Ints, starts: Ints, stops: Ints, fill: int) -> Ints:
    """Lay ``values[start:stop]`` of each window in a row, filled up on the right.

    Returns:
        int64 (n_windows, longest); without columns when there are no entries.
    """
    lengths = stops - starts
    width = int(lengths.max()) if len(lengths) else 0
    columns = np.arange(width)
    places = np.minimum(starts[:, None] + columns, max(len(values) - 1, 0))
    there = columns < lengths[:, None]
    return np.where(there, values[places], fill) if width else np.zeros((len(starts), 0), np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """A distribution from which items are drawn that a sampled softmax compares with.

    Attributes:
        probabilities: float64 (n_items,), above 0, sum 1.
        cumulative: float64 (n_items,), their running sum.
    """

    probabilities: Floats
    cumulative: Floats

    @classmethod
    def of_counts(cls, counts: Ints | Floats, power: float = 0.75) -> Proposal:
        """Draw in proportion to ``counts ** power``; counts are above 0.

        Source:
            Mikolov, Sutskever, Chen, Corrado and Dean 2013, "Distributed representations of words
            and phrases and their compositionality" (the power).
        """
        weights = np.asarray(counts, dtype=np.float64) ** power
        probabilities = weights / weights.sum()
        return cls(probabilities=probabilities, cumulative=np.cumsum(probabilities))

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """Draw with replacement.

        Returns:
            int64 (n,) items, and float64 (n,) logarithms of how often each is expected among them.
        """
        found = np.searchsorted(self.cumulative, rng.random(n), side="right")
        items = np.minimum(found, len(self.cumulative) - 1).astype(np.int64)
        return items, np.log(n * self.probabilities[items])
