"""What the ranker is told of an entry: numbers about user and item, and what came before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from plmrec.histories import Bools, Floats, Histories, Ints

N_USER_NUMBERS: Final = 3
N_NUMBERS: Final = N_USER_NUMBERS + 2  # about user and item
N_SIGNS: Final = 3  # about each step of a history
_PRIOR: Final = 5.0  # entries' worth of the mean that every share of likes starts with
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemCounts:
    """How often items were met, and liked.

    Attributes:
        met: float64 (n_items,).
        liked: float64 (n_items,).
        rate: Share of all entries that are likes.
    """

    met: Floats
    liked: Floats
    rate: float

    @classmethod
    def of(cls, histories: Histories, mask: Bools) -> ItemCounts:
        """Count the entries where ``mask`` (n,) is True."""
        items, likes = histories.items[mask], histories.is_positive[mask]
        met = np.bincount(items, minlength=histories.n_items).astype(np.float64)
        liked = np.bincount(items, likes, histories.n_items).astype(np.float64)
        return cls(met=met, liked=liked, rate=_mean_rate(likes))

    def numbers(self, items: Ints) -> Floats:
        """Log-odds of a like, and logarithm of how often met: float64 (..., 2)."""
        odds = _log_odds(self.liked[items], self.met[items], self.rate)
        return np.stack([odds, np.log1p(self.met[items])], axis=-1)


def _mean_rate(likes: Bools) -> float:
    """Share of likes, kept off 0 and 1 by one imagined like and dislike."""
    return float((likes.sum() + 1.0) / (len(likes) + 2.0))


def _log_odds(liked: Floats, met: Floats, rate: float) -> Floats:
    """Log-odds of a like after ``met`` entries, drawn towards the mean rate when there are few."""
    share = (liked + _PRIOR * rate) / (met + _PRIOR)
    return np.asarray(np.log(share) - np.log1p(-share))


def item_numbers(histories: Histories, mask: Bools, *, folds: int, seed: int) -> Floats:
    """``ItemCounts.numbers`` of every entry, counted over other users only.

    Users are dealt into folds; an entry is described by counts of the other folds, so that no count
    holds the entry itself, nor anything its user did.

    Args:
        histories: n entries.
        mask: (n,), True for the entries that may be counted.
        folds: At least 2.
        seed: Of the deal.

    Returns:
        float64 (n, 2); the logarithm is that of counts scaled up to all folds.
    """
    dealt = np.random.default_rng(seed).permutation(histories.n_users) % folds
    fold_of = dealt[histories.users]
    found = np.zeros((len(histories.items), 2))
    for fold in range(folds):
        mine = fold_of == fold
        others = ItemCounts.of(histories, mask & ~mine)
        found[mine] = others.numbers(histories.items[mine])
        scaled = others.met[histories.items[mine]] * (folds / (folds - 1))
        found[mine, 1] = np.log1p(scaled)
    return found


def user_numbers(histories: Histories, rate: float) -> Floats:
    """Of every entry: its user's log-odds of a like so far, log entries so far, log days idle.

    Returns:
        float64 (n, 3).
    """
    before = np.arange(len(histories.items)) - histories.indptr[histories.users]
    running = np.concatenate([[0.0], np.cumsum(histories.is_positive)])
    first = histories.indptr[histories.users]
    liked = running[first + before] - running[first]
    odds = _log_odds(liked, before.astype(np.float64), rate)
    return np.stack([odds, np.log1p(before), np.log1p(days_idle(histories))], axis=1)


def next_user_numbers(histories: Histories, rate: float) -> Floats:
    """``user_numbers`` of what each user meets next, right after the last entry: (n_users, 3)."""
    met = np.diff(histories.indptr).astype(np.float64)
    liked = np.bincount(histories.users, histories.is_positive, histories.n_users).astype(float)
    odds = _log_odds(liked, met, rate)
    return np.stack([odds, np.log1p(met), np.zeros(histories.n_users)], axis=1)


def days_idle(histories: Histories) -> Floats:
    """Days between each entry and its user's entry before, float64 (n,); 0 where unknown."""
    idle = np.zeros(len(histories.items))
    if len(idle) > 1:
        idle[1:] = np.diff(histories.times)
        idle[histories.indptr[:-1][np.diff(histories.indptr) > 0]] = 0.0
    return np.maximum(np.nan_to_num(idle), 0.0) / _DAY_S


def step_signs(histories: Histories) -> Floats:
    """What a step of a history says besides its item: (n, N_SIGNS).

    Weight in [-1, 1]; 1 for a like and -1 for anything else; log days since the step before.
    """
    weights = np.clip(histories.weights, -1.0, 1.0)
    liked = np.where(histories.is_positive, 1.0, -1.0)
    return np.stack([weights, liked, np.log1p(days_idle(histories))], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Stretches of histories, each with entries to predict and entries that lead up to them.

    Attributes:
        entries: int64 (n_windows, length), places among the entries, in order; -1 pads the end.
        targets: (n_windows, length), True for entries to predict from those before.
    """

    entries: Ints
    targets: Bools


def cut_windows(histories: Histories, wanted: Bools, length: int) -> list[Windows]:
    """Cut rows so that every wanted entry has up to ``length`` to ``2 * length`` before it.

    Args:
        histories: n entries.
        wanted: (n,), entries to predict.
        length: Entries to predict per window at most; as many lead up to them.

    Returns:
        Windows of one length each, at most ``2 * length``; every wanted entry once.
    """
    starts, lengths = histories.indptr[:-1], np.diff(histories.indptr)
    pieces = np.maximum(-(-lengths // length), 0)
    rows = np.repeat(np.arange(histories.n_users), pieces)
    piece = np.arange(len(rows)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    first = np.maximum(piece - 1, 0) * length
    last = np.minimum((piece + 1) * length, lengths[rows])
    sizes = last - first
    found = []
    for lower in range(0, 2 * length, max(1, length // 4)):
        upper = lower + max(1, length // 4)
        some = np.flatnonzero((sizes > lower) & (sizes <= upper))
        if not len(some):
            continue
        steps = np.arange(int(sizes[some].max()))
        inside = steps < sizes[some, None]
        entries = np.where(inside, (starts[rows[some]] + first[some])[:, None] + steps, -1)
        is_new = inside & (first[some, None] + steps >= piece[some, None] * length)
        targets = is_new & wanted[np.maximum(entries, 0)]
        kept = targets.any(axis=1)
        if kept.any():
            found.append(Windows(entries=entries[kept], targets=targets[kept]))
    return found


def batches(
    windows: list[Windows], size: int, rng: np.random.Generator | None = None
) -> Iterator[Windows]:
    """Windows of like length, about ``size`` entries at a time; shuffled if ``rng`` is given."""
    parts = []
    for group in windows:
        order = np.arange(len(group.entries))
        if rng is not None:
            order = rng.permutation(order)
        step = max(1, size // group.entries.shape[1])
        parts += [(group, order[at : at + step]) for at in range(0, len(order), step)]
    places = np.arange(len(parts)) if rng is None else rng.permutation(len(parts))
    for place in places:
        group, some = parts[int(place)]
        yield Windows(entries=group.entries[some], targets=group.targets[some])


def deal_entries(histories: Histories, share: float, seed: int) -> tuple[Bools, Bools, Bools]:
    """Deal entries into those to learn from, to check on, and to report on.

    The last ``share`` of each user's entries is checked for one half of the users and reported on
    for the other; a user with few entries gives one by chance, so that the share holds over all.
    Of users without times the entries are drawn.

    Returns:
        Three (n,) of which one is True per entry.
    """
    rng = np.random.default_rng(seed)
    n_last = np.floor(share * np.diff(histories.indptr) + rng.random(histories.n_users))
    ranks, users = histories.ranks_from_end(), histories.users
    undated = np.isnan(histories.last_times())[users]
    drawn = np.empty_like(ranks)
    drawn[np.lexsort((rng.random(len(users)), users))] = ranks
    is_last = np.where(undated, drawn, ranks) < n_last[users]
    first_half = (rng.permutation(histories.n_users) % 2 == 0)[users]
    return ~is_last, is_last & first_half, is_last & ~first_half


def last_entries(histories: Histories, length: int) -> tuple[Ints, Ints]:
    """Places of each user's last entries.

    Returns:
        int64 (n_users, <= length), in order, -1 pads the end; and int64 (n_users,) of how many.
    """
    counts = np.minimum(np.diff(histories.indptr), length)
    steps = np.arange(int(counts.max(initial=0)))
    entries = (histories.indptr[1:] - counts)[:, None] + steps
    return np.where(steps < counts[:, None], entries, -1), counts
