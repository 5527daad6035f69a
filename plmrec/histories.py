"""What users did, as arrays: catalogue, histories and training data.

A history is one row of a sparse matrix: which items a user had to do with, how much they liked
each, and when. Every recommender reads these and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from plmrec.errors import ShapeError
from plmrec.types import FloatMatrix

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]


def _digest(parts: Sequence[object]) -> str:
    """Digest of arrays and JSON values, in order."""
    state = blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            state.update(f"{part.dtype.str}{part.shape}".encode())
            state.update(np.ascontiguousarray(part).data)
        else:
            state.update(json.dumps(part, ensure_ascii=True).encode())
    return state.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemTags:
    """Which interest tags the items of a catalogue carry, and how strongly.

    Attributes:
        version: Of the taxonomy.
        digest: Of the taxonomy.
        tag_ids: n_tags ids, each once.
        names: For people, one per tag.
        vectors: float32 (n_tags, d), unit rows, of the centred space.
        mean: float32 (d,), taken off an item's vector, before it is scaled to length 1, to compare
            it with the tags.
        strengths: float32 CSR (n_items, n_tags), in [0, 1]; empty rows for items without tags.

    Raises:
        ShapeError: A column does not have one row per tag.
    """

    version: int
    digest: str
    tag_ids: tuple[str, ...]
    names: tuple[str, ...]
    vectors: FloatMatrix
    mean: FloatMatrix
    strengths: sp.csr_matrix

    def __post_init__(self) -> None:
        for found in (len(self.names), len(self.vectors), self.strengths.shape[1]):
            if found != len(self.tag_ids):
                raise ShapeError(f"item tags: expected {len(self.tag_ids)} tags, got {found}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Catalogue:
    """The items that can be recommended; an item's number is its place in ``item_ids``.

    Attributes:
        item_ids: n_items ids, each once.
        vectors: float32 (n_items, d), unit rows from one encoder; rows of zeros for items without
            text; None when there is no encoder.
        published_at: float64 (n_items,), seconds since 1970; nan when unknown.
        duration_s: float64 (n_items,), seconds; nan when unknown.
        genres: Genres of each item, n_items tuples; empty when none is known.
        creators: Who made each item, likewise.
        cast: Who appears in each item, likewise.
        titles: Title of each item, n_items texts; empty when none is known.
        tags: Interest tags of each item; None where there is no taxonomy.

    Raises:
        ShapeError: A column does not have one row per item.
    """

    item_ids: tuple[str, ...]
    vectors: FloatMatrix | None = None
    published_at: Floats | None = None
    duration_s: Floats | None = None
    genres: tuple[tuple[str, ...], ...] = ()
    creators: tuple[tuple[str, ...], ...] = ()
    cast: tuple[tuple[str, ...], ...] = ()
    titles: tuple[str, ...] = ()
    tags: ItemTags | None = None

    def __post_init__(self) -> None:
        arrays = (self.vectors, self.published_at, self.duration_s)
        texts = (self.genres or None, self.creators or None, self.cast or None, self.titles or None)
        for column in (*arrays, *texts):
            if column is not None and len(column) != len(self.item_ids):
                raise ShapeError(
                    f"catalogue: expected {len(self.item_ids)} rows, got {len(column)}"
                )
        if self.tags is not None and self.tags.strengths.shape[0] != len(self.item_ids):
            raise ShapeError(
                f"catalogue: expected tags of {len(self.item_ids)} items, got "
                f"{self.tags.strengths.shape[0]}"
            )

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.item_ids)

    def positions(self) -> dict[str, int]:
        """Place of each item id."""
        return {item_id: place for place, item_id in enumerate(self.item_ids)}

    def digest(self) -> str:
        """Identity of ids, vectors and features."""
        labels = (self.genres, self.creators, self.cast)
        parts: list[object] = [list(self.item_ids), list(self.titles)]
        parts += [[list(names) for names in each] for each in labels]
        columns = (self.vectors, self.published_at, self.duration_s)
        if self.tags is not None:
            carried = self.tags.strengths
            parts += [self.tags.digest, carried.indptr, carried.indices, carried.data]
        return _digest(parts + [column for column in columns if column is not None])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histories:
    """Rows of users in compressed form: user u's entries are ``indptr[u]:indptr[u + 1]``.

    An item occurs at most once in a row. Entries are sorted by time, then by item.

    Attributes:
        user_ids: n_users ids.
        n_items: Number of items of the catalogue.
        indptr: int64 (n_users + 1,).
        items: int64 (n,), places in the catalogue.
        weights: float64 (n,); above 0 the user liked it (1 is a plain like), below 0 disliked it,
            0 neither. Every entry counts as seen.
        times: float64 (n,), seconds since 1970; nan when unknown.
        watch_shares: float64 (n,), share of the item's duration that was watched, in [0, 1]; nan
            when unknown; None when it is unknown of all.
    """

    user_ids: tuple[str, ...]
    n_items: int
    indptr: Ints
    items: Ints
    weights: Floats
    times: Floats
    watch_shares: Floats | None = None

    @classmethod
    def build(  # noqa: PLR0913 - the columns of an entry
        cls,
        *,
        user_ids: Sequence[str],
        n_items: int,
        users: Ints,
        items: Ints,
        weights: Floats,
        times: Floats,
        watch_shares: Floats | None = None,
    ) -> Histories:
        """Sort entries in any order into rows.

        Args:
            user_ids: n_users ids.
            n_items: Number of items of the catalogue.
            users: int64 (n,), row of each entry.
            items: int64 (n,), no pair of user and item twice.
            weights: float64 (n,).
            times: float64 (n,), nan when unknown.
            watch_shares: float64 (n,), nan when unknown.
        """
        order = np.lexsort((items, np.nan_to_num(times, nan=-np.inf), users))
        counts = np.bincount(users, minlength=len(user_ids))
        return cls(
            user_ids=tuple(user_ids),
            n_items=n_items,
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            items=items[order].astype(np.int64),
            weights=weights[order].astype(np.float64),
            times=times[order].astype(np.float64),
            watch_shares=None if watch_shares is None else watch_shares[order].astype(np.float64),
        )

    @classmethod
    def empty(cls, user_ids: Sequence[str], n_items: int) -> Histories:
        """Users of whom nothing is known."""
        none = np.empty(0)
        return cls(
            user_ids=tuple(user_ids),
            n_items=n_items,
            indptr=np.zeros(len(user_ids) + 1, dtype=np.int64),
            items=none.astype(np.int64),
            weights=none,
            times=none,
        )

    @property
    def n_users(self) -> int:
        """Number of rows."""
        return len(self.user_ids)

    @property
    def users(self) -> Ints:
        """int64 (n,), row of each entry."""
        return np.repeat(np.arange(self.n_users), np.diff(self.indptr))

    @property
    def is_positive(self) -> Bools:
        """(n,), True where the user liked the item."""
        return self.weights > 0

    @property
    def has_times(self) -> bool:
        """True when any entry is dated."""
        return bool(np.isfinite(self.times).any())

    def keep(self, mask: Bools) -> Histories:
        """The same users with only the entries where ``mask`` (n,) is True."""
        counts = np.bincount(self.users[mask], minlength=self.n_users)
        return replace(
            self,
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            items=self.items[mask],
            weights=self.weights[mask],
            times=self.times[mask],
            watch_shares=None if self.watch_shares is None else self.watch_shares[mask],
        )

    def positives(self) -> Histories:
        """The same users with only what they liked."""
        return self.keep(self.is_positive)

    def take(self, rows: Ints) -> Histories:
        """Some users, in the order of ``rows`` (m,)."""
        counts = np.diff(self.indptr)[rows]
        starts = np.repeat(self.indptr[rows], counts)
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        entries = (starts + offsets).astype(np.int64)
        return replace(
            self,
            user_ids=tuple(self.user_ids[row] for row in rows),
            indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            items=self.items[entries],
            weights=self.weights[entries],
            times=self.times[entries],
            watch_shares=None if self.watch_shares is None else self.watch_shares[entries],
        )

    def block(self, start: int, stop: int) -> Histories:
        """Users ``start:stop``."""
        return self.take(np.arange(start, min(stop, self.n_users), dtype=np.int64))

    def matrix(self, values: Floats | None = None) -> sp.csr_matrix:
        """float32 CSR (n_users, n_items) of values per entry; of ``min(weight, 1)`` by default."""
        data = np.minimum(self.weights, 1.0) if values is None else values
        return sp.csr_matrix(
            (data.astype(np.float32), self.items, self.indptr), shape=(self.n_users, self.n_items)
        )

    def seen(self) -> Bools:
        """Dense (n_users, n_items), True where the user had to do with the item; for blocks."""
        seen = np.zeros((self.n_users, self.n_items), dtype=np.bool_)
        seen[self.users, self.items] = True
        return seen

    def usual_weight(self) -> float:
        """Median weight of what was liked; 1 where nothing was.

        Where people only click, a click is all the liking there is.
        """
        liked = self.weights[self.is_positive]
        return float(np.median(liked)) if len(liked) else 1.0

    def in_units(self, unit: float) -> Histories:
        """The same with the weights of what was liked divided by ``unit``, above 0."""
        if unit == 1.0:
            return self
        return replace(self, weights=np.where(self.is_positive, self.weights / unit, self.weights))

    def last_times(self) -> Floats:
        """float64 (n_users,), time of each user's last dated entry; nan without one."""
        last = np.full(self.n_users, -np.inf)
        dated = np.isfinite(self.times)
        np.maximum.at(last, self.users[dated], self.times[dated])
        return np.where(np.isfinite(last), last, np.nan)

    def ranks_from_end(self) -> Ints:
        """int64 (n,), 0 for the last entry of a row, 1 for the one before, and so on."""
        ends = np.repeat(self.indptr[1:], np.diff(self.indptr))
        return ends - 1 - np.arange(len(self.items))

    def digest(self) -> str:
        """Identity of users and entries."""
        watched = [] if self.watch_shares is None else [self.watch_shares]
        columns = [self.indptr, self.items, self.weights, self.times, *watched]
        return _digest([list(self.user_ids), self.n_items, *columns])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """Everything a recommender is fitted on.

    Attributes:
        catalogue: The items.
        histories: What users did with them, in units of the usual sign of interest.
        now: The clock, seconds since 1970: the end of the data, so that a refit is repeatable.
        unit: What the usual sign of interest weighed before; see ``usual_weight``.
    """

    catalogue: Catalogue
    histories: Histories
    now: float
    unit: float = 1.0

    def __post_init__(self) -> None:
        if self.catalogue.n_items != self.histories.n_items:
            raise ShapeError(
                f"training data: expected histories over {self.catalogue.n_items} items, "
                f"got {self.histories.n_items}"
            )

    def with_histories(self, histories: Histories) -> TrainingData:
        """The same items with other histories; the clock moves to their last time."""
        dated = histories.times[np.isfinite(histories.times)]
        now = float(dated.max()) if dated.size else self.now
        return replace(self, histories=histories, now=now)

    def digest(self) -> str:
        """Identity of items, histories and clock."""
        return _digest([self.catalogue.digest(), self.histories.digest(), self.now])
