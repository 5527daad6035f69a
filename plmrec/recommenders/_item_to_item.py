"""Recommenders of the form: sum, over the user's items, of how much each speaks for another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from plmrec.errors import ShapeError
from plmrec.histories import Catalogue, Floats, Histories, Ints
from plmrec.params import Section
from plmrec.recommenders._weights import Reads, evidence, recency_weights
from plmrec.recommenders.base import Arrays, Contribution, State, moved_places
from plmrec.types import FloatMatrix

_CELLS = 16_000_000  # of a dense matrix looked at at once: 64 MB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemToItem:
    """A matrix of items by items, and how a history is weighed before it is multiplied with it.

    Attributes:
        matrix: float32 (n_known, n_known), dense or CSR; row j says what item j speaks for.
        places: int64 (n_known,), place of each known item in the catalogue; -1 when it is gone.
        n_items: Size of the catalogue.
        decay_items: See ``recency_weights``.
        last_items: Only so many of the last entries are looked at; None looks at all.
        reads: See ``evidence``.
    """

    matrix: FloatMatrix | sp.csr_matrix
    places: Ints
    n_items: int
    decay_items: float | None = None
    last_items: int | None = None
    reads: Reads = "liked"

    def weigh(self, histories: Histories) -> tuple[Histories, Floats]:
        """The entries that are looked at, and the weight of each."""
        if histories.n_items != self.n_items:
            raise ShapeError(
                f"score: expected histories over {self.n_items} items, got {histories.n_items}"
            )
        read = evidence(histories, self.reads)
        if self.last_items is not None:
            read = read.keep(read.ranks_from_end() < self.last_items)
        return read, recency_weights(read, self.decay_items) * np.minimum(read.weights, 1.0)

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score."""
        read, weights = self.weigh(histories)
        there = self.places >= 0
        row_of = np.full(self.n_items, -1, dtype=np.int64)
        row_of[self.places[there]] = np.flatnonzero(there)
        known = row_of[read.items] >= 0
        read, weights = read.keep(known), weights[known]
        shape = (read.n_users, len(self.places))
        history = sp.csr_matrix(
            (weights.astype(np.float32), row_of[read.items], read.indptr), shape=shape
        )
        product = history @ self.matrix
        dense = np.asarray(product.todense() if sp.issparse(product) else product)
        scores = np.zeros((histories.n_users, self.n_items), dtype=np.float32)
        scores[:, self.places[there]] = dense[:, there]
        return scores

    def explain(self, part: str, history: Histories, item: int) -> tuple[Contribution, ...]:
        """See Recommender.explain; names the liked items that add most."""
        read, weights = self.weigh(history)
        added = weights * self._column(item)[read.items]
        items = strongest(read.items, added, history)
        return (Contribution(part=part, value=float(added.sum()), items=items),)

    def _column(self, item: int) -> FloatMatrix:
        """What each item of the catalogue says for ``item``, float32 (n_items,)."""
        said = np.zeros(self.n_items, dtype=np.float32)
        known = np.flatnonzero(self.places == item)
        if known.size:
            there = self.places >= 0
            column = self.matrix[:, [known[0]]]
            values = np.asarray(column.todense() if sp.issparse(column) else column).ravel()
            said[self.places[there]] = values[there]
        return said

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> ItemToItem:
        """The same matrix over another catalogue."""
        moved = moved_places(old, new)
        places = np.where(self.places >= 0, moved[np.maximum(self.places, 0)], -1)
        return replace(self, places=places, n_items=new.n_items)

    def state(self) -> State:
        """See Recommender.state."""
        arrays: Arrays = {"places": self.places}
        if sp.issparse(self.matrix):
            matrix = self.matrix.tocsr()
            arrays |= {
                "data": matrix.data.astype(np.float32),
                "indices": matrix.indices.astype(np.int32),
                "indptr": matrix.indptr.astype(np.int64),
            }
        else:
            arrays["matrix"] = np.ascontiguousarray(self.matrix, dtype=np.float32)
        return arrays, {"n_items": self.n_items}

    @classmethod
    def from_state(cls, arrays: Arrays, values: dict[str, Any], options: Section) -> ItemToItem:
        """Rebuild from ``state`` and the backend's options, which say how histories are read."""
        n_known = len(arrays["places"])
        if "matrix" in arrays:
            matrix: FloatMatrix | sp.csr_matrix = arrays["matrix"]
        else:
            parts = (arrays["data"], arrays["indices"], arrays["indptr"])
            matrix = sp.csr_matrix(parts, shape=(n_known, n_known))
        return cls(
            matrix=matrix,
            places=arrays["places"],
            n_items=int(values["n_items"]),
            **reading(options),
        )


def empty_matrix(n_rows: int, n_columns: int) -> sp.csr_matrix:
    """A float32 CSR matrix without entries."""
    none = np.zeros(0, dtype=np.int64)
    entries = (none.astype(np.float32), (none, none))
    return sp.csr_matrix(entries, shape=(n_rows, n_columns), dtype=np.float32)


def reading(options: Section) -> dict[str, Any]:
    """The part of a backend's options that says how a history is read."""
    names = ("decay_items", "last_items", "reads")
    return {name: value for name, value in options.model_dump().items() if name in names}


def strongest(
    items: Ints, added: Floats, history: Histories, top: int = 3
) -> tuple[tuple[int, float], ...]:
    """The liked items that add most, and what each adds; none that adds nothing."""
    is_liked = np.isin(items, history.positives().items)
    order = np.argsort(-added, kind="stable")
    best = [j for j in order if is_liked[j] and added[j] > 0][:top]
    return tuple((int(items[j]), float(added[j])) for j in best)


def known_items(read: Histories, max_items: int | None = None) -> Ints:
    """Places of items with an entry, ascending; of the ``max_items`` with most if given."""
    counts = np.bincount(read.items, minlength=read.n_items)
    known = np.flatnonzero(counts)
    if max_items is not None and len(known) > max_items:
        known = np.sort(known[np.argsort(-counts[known], kind="stable")[:max_items]])
    return known.astype(np.int64)


def keep_strongest(matrix: FloatMatrix | sp.csr_matrix, n: int) -> sp.csr_matrix:
    """Per column, only the n entries of largest absolute value; the lower row wins a tie.

    Args:
        matrix: (n_rows, n_columns).
        n: Entries to keep per column.

    Returns:
        float32 CSR of the same shape.
    """
    if sp.issparse(matrix):
        return _keep_strongest_entries(matrix.tocoo(), n)
    n_rows, n_columns = matrix.shape
    data, rows, columns = [np.zeros(0, np.float32)], [np.zeros(0, int)], [np.zeros(0, int)]
    step = max(1, _CELLS // max(n_rows, 1))
    for start in range(0, n_columns, step):
        block = np.asarray(matrix[:, start : start + step]).T
        strength = np.abs(block)
        kept = strength > 0
        if n < n_rows:
            border = np.partition(strength, n_rows - n, axis=1)[:, n_rows - n, None]
            tied = strength == border
            room = n - (strength > border).sum(axis=1, keepdims=True)
            kept &= (strength > border) | (tied & (np.cumsum(tied, axis=1) <= room))
        column, row = np.nonzero(kept)
        data.append(block[column, row])
        rows.append(row)
        columns.append(column + start)
    entries = (np.concatenate(data), (np.concatenate(rows), np.concatenate(columns)))
    return sp.csr_matrix(entries, shape=matrix.shape, dtype=np.float32)


def _keep_strongest_entries(matrix: sp.coo_matrix, n: int) -> sp.csr_matrix:
    """The same for a sparse matrix without doubled entries."""
    order = np.lexsort((matrix.row, -np.abs(matrix.data), matrix.col))
    columns = matrix.col[order]
    first = np.searchsorted(columns, np.arange(matrix.shape[1]))
    kept = order[np.arange(len(order)) - first[columns] < n]
    entries = (matrix.data[kept], (matrix.row[kept], matrix.col[kept]))
    return sp.csr_matrix(entries, shape=matrix.shape, dtype=np.float32)
