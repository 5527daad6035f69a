"""Content: items whose text says something like what the user liked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from plmrec.histories import Catalogue, Histories, Ints, TrainingData
from plmrec.params import Section
from plmrec.recommenders._item_to_item import ItemToItem, empty_matrix, reading
from plmrec.recommenders._linear import LinearRecommender
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State
from plmrec.types import FloatMatrix

_SMALL = 1e-6
_CELLS = 16_000_000  # cosines in memory at once: 64 MB


class Options(Section):
    """Options of this backend."""

    n_neighbours: int = Field(
        default=100, ge=1, description="an item's nearest texts that speak for it"
    )
    decay_items: float | None = Field(
        default=5.0,
        gt=0,
        description="liked items after which an older one weighs 1/e when scoring; null: all alike",
    )


def centre(vectors: FloatMatrix) -> FloatMatrix:
    """Subtract the catalogue's mean vector and bring rows back to length 1.

    Vectors of one catalogue share a large common direction, which says "this is a film" and hides
    what tells films apart. Rows of zeros (no text) stay zero.

    Source:
        Mu, Bhat and Viswanath 2018, "All-but-the-top: simple and effective postprocessing for word
        representations".
    """
    there = np.any(vectors != 0, axis=1)
    if not there.any():
        return vectors
    moved = np.where(there[:, None], vectors - vectors[there].mean(axis=0), 0.0)
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    moved /= np.maximum(norms, _SMALL)
    return moved.astype(np.float32)


def nearest_texts(
    vectors: FloatMatrix | None, *, queries: Ints, among: Ints, n_neighbours: int, n_items: int
) -> sp.csr_matrix:
    """Cosines of some items to their nearest others, positive ones only.

    Args:
        vectors: float32 (n_items, d), unit rows or zeros; None when there is no encoder.
        queries: int64 (n_queries,), places of the items whose neighbours are wanted.
        among: int64 (n,), places of the items that may be neighbours; an item is never its own.
        n_neighbours: Neighbours per item.
        n_items: Size of the catalogue.

    Returns:
        float32 CSR (n_items, n_queries); column q holds the neighbours of ``queries[q]``.
    """
    if vectors is None or not len(queries) or not len(among):
        return empty_matrix(n_items, len(queries))
    centred = centre(vectors)
    found: list[sp.csr_matrix] = []
    step = max(1, _CELLS // len(among))
    for start in range(0, len(queries), step):
        asked = queries[start : start + step]
        cosines = centred[asked] @ centred[among].T
        cosines[asked[:, None] == among] = 0.0
        if n_neighbours < len(among):
            cut = len(among) - n_neighbours
            border = np.partition(cosines, cut, axis=1)[:, cut, None]
            cosines[cosines < border] = 0.0
        row, column = np.nonzero(cosines > 0)
        entries = (cosines[row, column], (row, among[column]))
        found.append(sp.csr_matrix(entries, shape=(len(asked), n_items), dtype=np.float32))
    return sp.vstack(found).T.tocsr()


@dataclass(slots=True, kw_only=True, eq=False)
class Content:
    """Sums the cosines of an item to the user's liked items, over the item's nearest texts."""

    linear: LinearRecommender

    def fit(self, data: TrainingData) -> None:
        """See Recommender.fit."""
        self.linear.fit(data)

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score."""
        return self.linear.score(histories)

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """See Recommender.explain."""
        return self.linear.explain(history, item)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue; new items are read like all others."""
        options = self.linear.options
        fresh = build(Options.model_validate(options.model_dump()))
        fresh.linear.fit(
            TrainingData(catalogue=new, histories=Histories.empty((), new.n_items), now=0.0)
        )
        return fresh

    def state(self) -> State:
        """See Recommender.state."""
        return self.linear.state()

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.linear.load_state(arrays, values)


def learn(data: TrainingData, options: Options) -> ItemToItem:
    """Find each item's nearest texts."""
    n_items = data.catalogue.n_items
    places = np.arange(n_items, dtype=np.int64)
    matrix = nearest_texts(
        data.catalogue.vectors,
        queries=places,
        among=places,
        n_neighbours=options.n_neighbours,
        n_items=n_items,
    )
    return ItemToItem(
        matrix=matrix,
        places=places,
        n_items=n_items,
        **reading(options),
    )


def build(options: Options) -> Content:
    """Build the recommender; called by plmrec.backends."""
    return Content(linear=LinearRecommender(part="content", options=options, learn=learn))
