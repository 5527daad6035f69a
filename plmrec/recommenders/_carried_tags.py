"""The tags of a catalogue: of the taxonomy, its genres, or clusters of its texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import scipy.sparse as sp

from plmrec.histories import Catalogue, Floats, Ints, ItemTags
from plmrec.recommenders._centred_texts import unit_rows
from plmrec.recommenders._item_to_item import empty_matrix
from plmrec.types import FloatMatrix

Kind: TypeAlias = Literal["taxonomy", "genres", "clusters"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tags:
    """The tags of a catalogue, and which item carries which.

    Attributes:
        kind: What a tag is.
        names: Of the taxonomy's tags, genres, or ``cluster 0`` and so on; n_tags.
        vectors: float32 (n_tags, d), unit rows: the taxonomy's own, or else the mean of the centred
            vectors of a tag's items.
        carried: float32 CSR (n_items, n_tags), shares of the tags in an item; a row adds up to 1,
            or is empty for an item without any.
        tag_ids: Ids of the taxonomy, n_tags; empty for other tags.
        counts: float32 (n_tags,), how much each tag counts before the shares are taken.
        middle: float32 (d,), taken off a tag's vector to have its direction; zeros take nothing.
    """

    kind: Kind
    names: tuple[str, ...]
    vectors: FloatMatrix
    carried: sp.csr_matrix
    tag_ids: tuple[str, ...] = ()
    counts: FloatMatrix
    middle: FloatMatrix

    @property
    def directions(self) -> FloatMatrix:
        """float32 (n_tags, d), where an interest in each tag draws a user."""
        return np.asarray(self.vectors - self.middle)

    def among(self, rows: FloatMatrix) -> Tags:
        """The same tags, each with the mean of its items as vector; one without any keeps its own.

        Args:
            rows: float32 (n_items, d), centred unit vectors.
        """
        means = unit_rows(self.carried.T @ rows)
        is_carried = np.any(means != 0, axis=1)
        vectors = np.where(is_carried[:, None], means, self.vectors)
        return replace(self, vectors=np.asarray(vectors, dtype=np.float32))

    def centred(self) -> Tags:
        """The same tags, seen from what the tags of the usual item add up to.

        Most items carry some of a few broad tags, and so do most histories: without this, the
        broad tags, not what sets a user apart, decide where ``u`` points. It is the same as to take
        as a weight how much more of the history than of the catalogue carries the tag.
        """
        usual = np.asarray(self.carried.sum(axis=0), dtype=np.float64).ravel()
        middle = usual @ self.vectors / max(float(usual.sum()), 1e-12)
        return replace(self, middle=np.asarray(middle, dtype=np.float32))

    @classmethod
    def of_taxonomy(cls, told: ItemTags, tags_per_item: int | None, rarity: float) -> Tags:
        """Take the tags of a taxonomy.

        Args:
            told: Strengths of all items.
            tags_per_item: See ``strengths_carried``.
            rarity: Power of the inverse document frequency of a tag; Spärck Jones 1972, "A
                statistical interpretation of term specificity". 0 takes all tags alike.
        """
        strengths = told.strengths
        mass = np.asarray(strengths.sum(axis=0)).ravel()
        rare = np.log1p(strengths.shape[0] / np.maximum(mass, 1.0)) ** rarity
        counts: FloatMatrix = np.asarray(rare, dtype=np.float32)
        return cls(
            kind="taxonomy",
            names=told.names,
            vectors=told.vectors,
            carried=strengths_carried(strengths, counts, tags_per_item),
            tag_ids=told.tag_ids,
            counts=counts,
            middle=np.zeros_like(told.mean),
        )

    def carried_by(self, new: Catalogue, tags_per_item: int | None) -> sp.csr_matrix:
        """Shares of these tags in the items of another catalogue, by what it says of them.

        Returns:
            float32 CSR (new.n_items, n_tags); empty rows for items of which it says nothing.
        """
        if self.kind != "taxonomy":
            return carried_genres(new.genres or ((),) * new.n_items, self.names)
        if new.tags is None:
            return empty_matrix(new.n_items, len(self.names))
        place = {tag_id: column for column, tag_id in enumerate(self.tag_ids)}
        columns = np.array([place.get(each, -1) for each in new.tags.tag_ids], dtype=np.int64)
        known = np.flatnonzero(columns >= 0)
        moved = one_each(known, columns[known], (len(columns), len(self.names)))
        return strengths_carried(new.tags.strengths @ moved, self.counts, tags_per_item)

    def shared(self, item: int, weights: Floats) -> list[int]:
        """Places of an item's tags with a weight above 0, by weight times share, strongest first.

        Args:
            item: Place in the catalogue.
            weights: (n_tags,), >= 0.
        """
        row = self.carried[item]
        values = row.data * weights[row.indices]
        order = np.lexsort((row.indices, -values))
        return [int(row.indices[place]) for place in order if values[place] > 0]


def choose_tags(
    genres: tuple[tuple[str, ...], ...],
    rows: FloatMatrix,
    *,
    kind: Literal["genres", "clusters"],
    is_choice: bool,
    n_clusters: int,
    seed: int,
) -> Tags:
    """Make tags of what a catalogue without a taxonomy has.

    Args:
        genres: Of each item; empty when none is known.
        rows: float32 (n_items, d), centred unit vectors.
        kind: What is a tag.
        is_choice: Whether clusters will do where no item has a genre.
        n_clusters: Of them, at most.
        seed: Of the clusters.
    """
    if kind == "genres" and is_choice and not any(genres):
        kind = "clusters"
    if kind == "genres":
        names = tuple(sorted({name for each in genres for name in each}))
        carried = carried_genres(genres or ((),) * len(rows), names)
    else:
        carried = _clustered(rows, n_clusters, seed)
        names = tuple(f"cluster {n}" for n in range(carried.shape[1]))
    vectors = unit_rows((carried > 0).astype(np.float32).T @ rows)
    ones = np.ones(len(names), dtype=np.float32)
    return Tags(
        kind=kind,
        names=names,
        vectors=vectors,
        carried=carried,
        counts=ones,
        middle=np.zeros(rows.shape[1], dtype=np.float32),
    )


def strengths_carried(
    strengths: sp.csr_matrix, counts: FloatMatrix, tags_per_item: int | None
) -> sp.csr_matrix:
    """Shares of the tags in each item, from their strengths.

    Args:
        strengths: float32 CSR (n_items, n_tags), in [0, 1].
        counts: float32 (n_tags,), how much each tag counts.
        tags_per_item: Only so many of an item's strongest tags count; None takes all.
    """
    weighed = (strengths @ sp.diags(counts)).tocsr().astype(np.float32)
    weighed.eliminate_zeros()
    if tags_per_item is not None:
        weighed = _strongest_of_rows(weighed, tags_per_item)
    total = np.asarray(weighed.sum(axis=1)).ravel()
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    return sp.csr_matrix(sp.diags(scale) @ weighed, dtype=np.float32)


def carried_genres(genres: tuple[tuple[str, ...], ...], names: tuple[str, ...]) -> sp.csr_matrix:
    """``1 / genres of the item`` for each known genre of each item, CSR (n_items, n_names)."""
    column = {name: place for place, name in enumerate(names)}
    found = [sorted({column[name] for name in each if name in column}) for each in genres]
    rows = np.repeat(np.arange(len(found)), [len(each) for each in found])
    columns = np.array([place for each in found for place in each], dtype=np.int64)
    values = np.array([1.0 / len(each) for each in found for _ in each], dtype=np.float32)
    return sp.csr_matrix((values, (rows, columns)), shape=(len(genres), len(names)))


def one_each(rows: Ints, columns: Ints, shape: tuple[int, int]) -> sp.csr_matrix:
    """A CSR matrix with a 1 at each of some places."""
    return sp.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)


def _strongest_of_rows(matrix: sp.csr_matrix, n: int) -> sp.csr_matrix:
    """Only the n largest entries of each row; the lower column wins a tie."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order)) - matrix.indptr[rows[order]]
    kept = rank < n
    entries = (matrix.data[kept], (rows[kept], matrix.indices[kept]))
    return sp.csr_matrix(entries, shape=matrix.shape)


def _clustered(rows: FloatMatrix, n_clusters: int, seed: int) -> sp.csr_matrix:
    """The cluster of each item with a text, 1 each, CSR (n_items, <= n_clusters)."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    there = np.flatnonzero(rows.any(axis=1))
    n = min(n_clusters, len(np.unique(rows[there], axis=0)))
    if n == 0:
        return empty_matrix(len(rows), 0)
    with threadpool_limits(1):  # threads add up in any order: the clusters would differ
        labels = KMeans(n, n_init=1, random_state=seed).fit_predict(rows[there])
    return one_each(there, labels, (len(rows), n))
