"""What the ranker learns from: entries, what is known of each, and what each is used for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from plmrec.histories import Bools, Floats, Histories
from plmrec.recommenders._ranker_inputs import (
    N_NUMBERS,
    N_USER_NUMBERS,
    ItemCounts,
    deal_entries,
    item_numbers,
    user_numbers,
)
from plmrec.recommenders._sequences import shuffle_ties
from plmrec.types import FloatMatrix

if TYPE_CHECKING:
    from plmrec.recommenders.ranker import Options

_FOLDS: Final = 5  # of users, whose entries are counted apart
_SMALL: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Read:
    """What is read of some entries.

    Attributes:
        histories: n entries.
        texts: float32 (n_items, d).
        numbers: float64 (n, N_NUMBERS), of the entries, standardised.
    """

    histories: Histories
    texts: FloatMatrix
    numbers: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """What is learnt from.

    Attributes:
        read: The entries.
        item_numbers: float64 (n_items, rest), of items drawn as unmet, standardised.
        learnt: (n,), True for entries to learn from.
        checked: (n,), True for entries that tell when to stop; others than ``learnt``.
    """

    read: Read
    item_numbers: Floats
    learnt: Bools
    checked: Bools


def in_any_order(histories: Histories, seed: int) -> Histories:
    """The same histories with entries of one moment in random order.

    They are sorted by their place in the catalogue, from which a sequence could be guessed.
    """
    order = shuffle_ties(histories, np.random.default_rng(seed))
    shares = histories.watch_shares
    return replace(
        histories,
        items=histories.items[order],
        weights=histories.weights[order],
        times=histories.times[order],
        watch_shares=None if shares is None else shares[order],
    )


def make_lesson(
    histories: Histories, texts: FloatMatrix, options: Options
) -> tuple[Lesson, Floats, Bools]:
    """What to learn from, what brings numbers to 0 and 1, and which entries to report on.

    The counts that describe an entry hold neither it nor anything else its user did, nor any of
    the entries that are checked or reported on.
    """
    learnt, checked, reported = deal_entries(histories, options.check_share, options.seed)
    counts = ItemCounts.of(histories, learnt)
    raw = np.concatenate(
        [
            user_numbers(histories, counts.rate),
            item_numbers(histories, learnt, folds=_FOLDS, seed=options.seed),
        ],
        axis=1,
    )
    raw[~learnt, N_USER_NUMBERS:] = counts.numbers(histories.items[~learnt])
    numbers = np.stack([np.zeros(N_NUMBERS), np.ones(N_NUMBERS)])
    if learnt.any():
        numbers[0], numbers[1] = raw[learnt].mean(axis=0), raw[learnt].std(axis=0) + _SMALL
    lesson = Lesson(
        read=Read(histories=histories, texts=texts, numbers=(raw - numbers[0]) / numbers[1]),
        item_numbers=item_part(counts, numbers),
        learnt=learnt,
        checked=checked,
    )
    return lesson, numbers, reported


def item_part(counts: ItemCounts, numbers: Floats) -> Floats:
    """Standardised numbers of every item, float64 (n_items, rest of N_NUMBERS)."""
    every = np.arange(len(counts.met), dtype=np.int64)
    mean, deviation = numbers[:, N_USER_NUMBERS:]
    return np.asarray((counts.numbers(every) - mean) / deviation)


def numbers_of_entries(histories: Histories, counts: ItemCounts, numbers: Floats) -> Floats:
    """Standardised numbers of every entry by given counts, float64 (n, N_NUMBERS)."""
    raw = [user_numbers(histories, counts.rate), counts.numbers(histories.items)]
    return np.asarray((np.concatenate(raw, axis=1) - numbers[0]) / numbers[1])
