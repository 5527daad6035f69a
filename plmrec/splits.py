"""Splits of histories into what a recommender may learn from and what it is judged on.

Only the split by time keeps the future out of training. The others leak some of it, each in its own
way, which its docstring tells; they are taken when they are asked for by name.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from plmrec.digests import digest_json
from plmrec.errors import DataContractError
from plmrec.histories import Bools, Floats, Histories, Ints

log = logging.getLogger(__name__)

SplitKind: TypeAlias = Literal["time", "last", "random", "cold-items", "cold-users"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """One division of the same users' histories.

    Attributes:
        kind: ``time``: one moment for all users; ``last``: each user's last liked item; ``random``:
            one liked item of each user, for data without times; ``cold-items``: items that nobody
            in training had to do with; ``cold-users``: users who are not in training.
        train: What may be learnt from.
        heldout: Liked items to find again; none of them is in ``train``.
        excluded: Everything to leave out of the lists: ``train``, and what a user had to do with
            besides the held-out items. It is never learnt from.
        cut: The moment of a ``time`` split, seconds since 1970; nan otherwise.
        known: What a recommender is told of the users when it scores, where that is more than
            ``train``; None where it is the same.
        candidates: (n_items,), True for the items that compete; None when all do.
    """

    kind: SplitKind
    train: Histories
    heldout: Histories
    excluded: Histories
    cut: float = float("nan")
    known: Histories | None = None
    candidates: Bools | None = None

    @property
    def told(self) -> Histories:
        """What a recommender is told of the users when it scores."""
        return self.train if self.known is None else self.known

    @property
    def n_judged(self) -> int:
        """Users with at least one held-out item."""
        return int((np.diff(self.heldout.indptr) > 0).sum())

    def digest(self) -> str:
        """Identity of the split: what is learnt from, and what is held out."""
        parts = [self.kind, self.train.digest(), self.heldout.digest()]
        return digest_json(parts if self.known is None else [*parts, self.known.digest()])


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


def split_window(histories: Histories, *, start: float, stop: float) -> Split:
    """Hold out the likes of a stretch of the past; what came after it is left out altogether.

    The future is kept out as in ``split_by_time``.

    Args:
        histories: Whole histories.
        start: Share of the dated entries before the stretch, in (0, 1).
        stop: Share of them before its end.
    """
    dated = histories.times[np.isfinite(histories.times)]
    if not dated.size:
        nothing = histories.keep(np.zeros(len(histories.items), dtype=np.bool_))
        return Split(kind="time", train=histories, heldout=nothing, excluded=histories)
    cut, end = np.quantile(dated, [start, min(stop, 1.0)], method="lower")
    before = ~(histories.times > cut)
    within = (histories.times > cut) & (histories.times <= end) & histories.is_positive
    train = histories.keep(before)
    heldout = histories.keep(within)
    return checked(Split(kind="time", train=train, heldout=heldout, excluded=train, cut=float(cut)))


def split_last(histories: Histories) -> Split:
    """Hold out each user's last liked item, and drop what the user did after it.

    Entries of other users may be later than a held-out item, so popularity and neighbours know a
    little of the future; figures are higher than production's. Users who liked nothing, or whose
    last like is their only entry, hold out nothing.

    Args:
        histories: Whole histories. Undated rows have no last item and hold out nothing.
    """
    liked = np.flatnonzero(histories.is_positive & np.isfinite(histories.times))
    drawn = np.random.default_rng(0).random(len(liked))  # which of several likes of one moment
    liked = liked[np.lexsort((drawn, histories.times[liked], histories.users[liked]))]
    users = histories.users[liked]
    is_last = np.append(users[1:] != users[:-1], True) if len(users) else np.zeros(0, dtype=bool)
    counts = np.diff(histories.indptr)
    chosen = liked[is_last]
    chosen = chosen[counts[histories.users[chosen]] > 1]
    return _hold_out(histories, chosen, kind="last")


def split_random(histories: Histories, *, seed: int) -> Split:
    """Hold out one liked item of each user who liked at least two, drawn evenly.

    For data without times, where no split can keep the future out. Where there are times, users'
    own later entries are learnt from, too.

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


def split_cold_items(histories: Histories, *, share: float, seed: int) -> Split:
    """Take items out of training altogether, and hold out the likes of them.

    Only these items compete, so that what is judged is the order among items nobody liked yet, and
    not how they stand against known ones. Entries of the other items may be later than a held-out
    one, the user's own, too: the split asks what is known of an item without likes, not what was
    known at a time.

    Args:
        histories: Whole histories.
        share: Share of the items with a like that is held out, in (0, 1); at least one of them.
        seed: Of the draw.

    Source:
        Schein, Popescul, Ungar and Pennock 2002, "Methods and metrics for cold-start
        recommendations".
    """
    liked = np.unique(histories.positives().items)
    is_cold = np.zeros(histories.n_items, dtype=np.bool_)
    is_cold[_draw(liked, share, seed)] = True
    held = is_cold[histories.items] & histories.is_positive
    return checked(
        Split(
            kind="cold-items",
            train=histories.keep(~is_cold[histories.items]),
            heldout=histories.keep(held),
            excluded=histories.keep(~held),
            candidates=is_cold,
        )
    )


def split_cold_users(histories: Histories, *, share: float, seed: int) -> Split:
    """Take users out of training altogether, and hold out the last like of each.

    What a held-out user did before it is told when the lists are made, but never learnt from.
    Entries of the other users may be later than the held-out likes.

    Args:
        histories: Whole histories.
        share: Share of the users with at least two entries, one of them a like, that is held out,
            in (0, 1); at least one of them.
        seed: Of the draws. Of a user without times, a random like is held out.

    Source:
        Liang, Krishnan, Hoffman and Jebara 2018, "Variational autoencoders for collaborative
        filtering", whose users are held out in the same way.
    """
    rng = np.random.default_rng(seed)
    liked = np.flatnonzero(histories.is_positive)
    liked = liked[np.diff(histories.indptr)[histories.users[liked]] > 1]
    is_held = np.zeros(histories.n_users, dtype=np.bool_)
    is_held[_draw(np.unique(histories.users[liked]), share, seed)] = True
    liked = liked[is_held[histories.users[liked]]]
    dated = np.nan_to_num(histories.times[liked], nan=-np.inf)
    order = liked[np.lexsort((rng.random(len(liked)), dated, histories.users[liked]))]
    last = order[np.append(np.diff(histories.users[order]) != 0, True)] if len(order) else order
    held = np.zeros(len(histories.items), dtype=np.bool_)
    held[last] = True
    before = ~held & ~_is_after(histories, last)
    return checked(
        Split(
            kind="cold-users",
            train=histories.keep(~is_held[histories.users]),
            heldout=histories.keep(held),
            excluded=histories.keep(~held),
            known=histories.keep(before),
        )
    )


def _draw(places: Ints, share: float, seed: int) -> Ints:
    """A share of some places, drawn evenly; at least one if there are any."""
    n_drawn = max(1, round(share * len(places)))
    return np.random.default_rng(seed).permutation(places)[:n_drawn]


def _is_after(histories: Histories, chosen: Ints) -> Bools:
    """(n,), True for entries later than the user's chosen one; undated ones are not."""
    limit = np.full(histories.n_users, np.inf)
    limit[histories.users[chosen]] = np.nan_to_num(histories.times[chosen], nan=np.inf)
    return np.asarray(np.nan_to_num(histories.times, nan=-np.inf) > limit[histories.users])


def _hold_out(histories: Histories, chosen: Ints, kind: SplitKind) -> Split:
    """A split that holds out some entries, at most one per user."""
    held = np.zeros(len(histories.items), dtype=np.bool_)
    held[chosen] = True
    none = np.zeros(len(histories.items), dtype=np.bool_)
    later = _is_after(histories, chosen) if kind == "last" else none
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

    Every split but that by time may learn from what *others* did later; nothing is refused that its
    docstring allows.

    Raises:
        DataContractError: A user's training history holds a held-out item. Or training reaches
            beyond the moment of the split (``time``), or a user's beyond the held-out item
            (``last``; of ``cold-users``, what is told of the user). Or training knows an item of
            ``cold-items``, or a user of ``cold-users``.
    """
    told, heldout = split.told, split.heldout
    width = max(told.n_items, 1)
    both = np.intersect1d(told.users * width + told.items, heldout.users * width + heldout.items)
    if both.size:
        raise DataContractError(
            f"split {split.kind}: expected held-out items outside training, got {both.size} inside"
        )
    late = _late(split)
    if late.size:
        raise DataContractError(
            f"split {split.kind}: expected training before the held-out items, got {late.size} "
            "entries on the wrong side in time"
        )
    known = _known(split)
    if known:
        raise DataContractError(
            f"split {split.kind}: expected nothing of them in training, got {known} entries"
        )
    return split


def _late(split: Split) -> Floats:
    """Times of the entries on the wrong side of the split."""
    told, heldout = split.told, split.heldout
    if split.kind == "time":
        train = split.train.times
        early = heldout.times[~(heldout.times > split.cut)]
        return np.concatenate([train[train > split.cut], told.times[told.times > split.cut], early])
    if split.kind in {"last", "cold-users"}:
        limit = np.full(told.n_users, np.inf)
        np.fmin.at(limit, heldout.users, heldout.times)
        return told.times[told.times > limit[told.users]]
    return np.zeros(0)


def _known(split: Split) -> int:
    """Entries in training of what a split takes out of training altogether."""
    train, heldout = split.train, split.heldout
    if split.kind == "cold-items":
        cold = heldout.items if split.candidates is None else np.flatnonzero(split.candidates)
        return int(np.isin(train.items, cold).sum())
    if split.kind == "cold-users":
        return int(np.isin(train.users, np.unique(heldout.users)).sum())
    return 0


def make_split(histories: Histories, kind: SplitKind, *, share: float, seed: int) -> Split:
    """The split of a name.

    Args:
        histories: Whole histories.
        kind: Which.
        share: Share of the time, of the items or of the users that is held out.
        seed: Of what is drawn.
    """
    if kind == "time":
        return split_by_time(histories, share=share)
    if kind == "last":
        return split_last(histories)
    if kind == "random":
        return split_random(histories, seed=seed)
    cold = split_cold_items if kind == "cold-items" else split_cold_users
    return cold(histories, share=share, seed=seed)


def choose_split(
    histories: Histories, kind: SplitKind, *, share: float, seed: int, min_users: int = 1
) -> Split:
    """The split asked for, or the next best one that judges anybody.

    Data without times cannot be split by time; too few likes after the moment judge nobody. Then
    ``last`` is taken, then ``random``. These leak some of the future, so a warning names the one
    that was taken.

    Args:
        histories: Whole histories.
        kind: The split asked for.
        share: See ``make_split``.
        seed: See ``make_split``.
        min_users: Users to judge for a split to do.

    Returns:
        The first of ``kind``, ``last``, ``random`` that judges ``min_users``; ``random`` if none.
    """
    split = make_split(histories, kind, share=share, seed=seed)
    if kind == "random" or (split.n_judged >= min_users and len(split.train.items)):
        return split
    found = split_last(histories) if kind != "last" and histories.has_times else split
    if found.kind != "last" or found.n_judged < min_users:
        found = split_random(histories, seed=seed)
    log.warning(
        "split %s judges %d users, %d are needed; split %s is taken, which leaks what %s did later",
        kind, split.n_judged, min_users, found.kind,
        "others" if found.kind == "last" else "users and others",
    )  # fmt: skip
    return found
