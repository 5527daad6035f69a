"""Splits of histories into what a recommender may learn from and what it is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from plmrec.digests import digest_json
from plmrec.errors import DataContractError
from plmrec.histories import Histories

SplitKind: TypeAlias = Literal["time", "last", "random"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """One division of the same users' histories.

    Attributes:
        kind: ``time``: one moment for all users; ``last``: each user's last liked item; ``random``:
            one liked item of each user, for data without times.
        train: What may be learnt from.
        heldout: Liked items to find again; none of them is in ``train``.
        excluded: Everything to leave out of the lists: ``train``, and what a user had to do with
            besides the held-out items. It is never learnt from.
        cut: The moment of a ``time`` split, seconds since 1970; nan otherwise.
    """

    kind: SplitKind
    train: Histories
    heldout: Histories
    excluded: Histories
    cut: float = float("nan")

    @property
    def n_judged(self) -> int:
        """Users with at least one held-out item."""
        return int((np.diff(self.heldout.indptr) > 0).sum())

    def digest(self) -> str:
        """Identity of the split: what is learnt from, and what is held out."""
        return digest_json([self.kind, self.train.digest(), self.heldout.digest()])


def split_by_time(histories: Histories, *, share: float) -> Split:
    """Hold out the likes of the last part of the whole period.

    Everything up to the moment before which ``1 - share`` of the dated entries lie may be learnt
    from, and everything undated. This is the split that answers as production will: no user's
    future, nor anyone else's, is known.

    Args:
        histories: Whole histories.
        share: Share of dated entries that comes after the moment, in (0, 1).

    Source:
        Meng, McCreadie, Macdonald and Ounis 2020, "Exploring data splitting strategies for the
        evaluation of recommendation models".
    """
    times = histories.times
    dated = np.isfinite(times)
    cut = float(np.quantile(times[dated], 1.0 - share, method="lower")) if dated.any() else np.nan
    later = dated & (times > cut)
    split = Split(
        kind="time",
        train=histories.keep(~later),
        heldout=histories.keep(later & histories.is_positive),
        excluded=histories.keep(~later),
        cut=cut,
    )
    return checked(split)


def split_last(histories: Histories) -> Split:
    """Hold out each user's last liked item, and drop what the user did after it.

    Entries of other users may be later than a held-out item, so popularity and neighbours know a
    little of the future; figures are higher than production's. Users who liked nothing, or whose
    last like is their only entry, hold out nothing.

    Args:
        histories: Whole histories. Undated rows have no last item and hold out nothing.
    """
    liked = np.flatnonzero(histories.is_positive & np.isfinite(histories.times))
    users = histories.users[liked]
    is_last = np.append(users[1:] != users[:-1], True) if len(users) else np.zeros(0, dtype=bool)
    counts = np.diff(histories.indptr)
    chosen = liked[is_last]
    chosen = chosen[counts[histories.users[chosen]] > 1]
    return _hold_out(histories, chosen, kind="last")


def split_random(histories: Histories, *, seed: int) -> Split:
    """Hold out one liked item of each user who liked at least two, drawn evenly.

    For data without times, where no split can keep the future out.

    Args:
        histories: Whole histories.
        seed: Of the draw.
    """
    rng = np.random.default_rng(seed)
    liked = np.flatnonzero(histories.is_positive)
    order = liked[np.lexsort((rng.random(len(liked)), histories.users[liked]))]
    users = histories.users[order]
    is_first = np.append(True, users[1:] != users[:-1]) if len(users) else np.zeros(0, dtype=bool)
    counts = np.bincount(users, minlength=histories.n_users)
    chosen = order[is_first]
    return _hold_out(histories, np.sort(chosen[counts[users[is_first]] > 1]), kind="random")


def _hold_out(histories: Histories, chosen: np.ndarray, kind: SplitKind) -> Split:
    """A split that holds out some entries, at most one per user."""
    held = np.zeros(len(histories.items), dtype=np.bool_)
    held[chosen] = True
    limit = np.full(histories.n_users, np.inf)
    if kind == "last":
        limit[histories.users[chosen]] = histories.times[chosen]
    later = np.nan_to_num(histories.times, nan=-np.inf) > limit[histories.users]
    return checked(
        Split(
            kind=kind,
            train=histories.keep(~held & ~later),
            heldout=histories.keep(held),
            excluded=histories.keep(~held),
        )
    )


def checked(split: Split) -> Split:
    """Return the split if nothing held out leaks into what may be learnt from.

    Raises:
        DataContractError: A user's training history holds a held-out item, or reaches beyond the
            moment of the split (``time``), or beyond the user's held-out item (``last``).
    """
    train, heldout = split.train, split.heldout
    width = max(train.n_items, 1)
    both = np.intersect1d(train.users * width + train.items, heldout.users * width + heldout.items)
    if both.size:
        raise DataContractError(
            f"split {split.kind}: expected held-out items outside training, got {both.size} inside"
        )
    late = np.zeros(0)
    if split.kind == "time":
        late = train.times[train.times > split.cut]
        early = heldout.times[~(heldout.times > split.cut)]
        late = np.concatenate([late, early])
    elif split.kind == "last":
        limit = np.full(train.n_users, np.inf)
        np.minimum.at(limit, heldout.users, heldout.times)
        late = train.times[train.times > limit[train.users]]
    if late.size:
        raise DataContractError(
            f"split {split.kind}: expected training before the held-out items, got {late.size} "
            "entries on the wrong side in time"
        )
    return split


def choose_split(
    histories: Histories, kind: SplitKind, *, share: float, seed: int, min_users: int = 1
) -> Split:
    """The split asked for, or the next best one that judges anybody.

    Data without times cannot be split by time; too few likes after the moment judge nobody. Then
    ``last`` is taken, then ``random``.

    Args:
        histories: Whole histories.
        kind: The split asked for.
        share: See ``split_by_time``.
        seed: See ``split_random``.
        min_users: Users to judge for a split to do.

    Returns:
        The first of ``kind``, ``last``, ``random`` that judges ``min_users``; ``random`` if none.
    """
    if kind == "time":
        split = split_by_time(histories, share=share)
        if split.n_judged >= min_users and len(split.train.items):
            return split
    if kind != "random" and histories.has_times:
        split = split_last(histories)
        if split.n_judged >= min_users:
            return split
    return split_random(histories, seed=seed)
