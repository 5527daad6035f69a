"""Scores carried to items nobody liked, from the liked items most like them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from plmrec.histories import Bools, Catalogue, Histories, Ints
from plmrec.recommenders._item_to_item import empty_matrix
from plmrec.recommenders._likeness import Likeness
from plmrec.recommenders.base import Arrays, moved_places
from plmrec.types import FloatMatrix


def liked_items(histories: Histories) -> Bools:
    """(n_items,), True for items anyone liked."""
    counts = np.bincount(histories.positives().items, minlength=histories.n_items)
    return np.asarray(counts > 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Carry:
    """Which items were never liked, and whose scores stand in for theirs.

    Attributes:
        liked: (n_items,), True for items anyone liked.
        weights: float32 CSR (n_items, n_cold); column c averages the liked items most like the
            c-th item that nobody liked; empty for an item of which nothing is known.
    """

    liked: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    weights: sp.csr_matrix = field(default_factory=lambda: empty_matrix(0, 0))

    @classmethod
    def between(
        cls, catalogue: Catalogue, likeness: Likeness, liked: Bools, n_neighbours: int
    ) -> Carry:
        """Find the liked items most like every item nobody liked.

        Args:
            catalogue: The items.
            likeness: What counts as alike.
            liked: (n_items,), True for items anyone liked.
            n_neighbours: Liked items per item at most.
        """
        nearest = likeness.nearest(
            catalogue,
            queries=np.flatnonzero(~liked),
            among=np.flatnonzero(liked),
            n_neighbours=n_neighbours,
        )
        total = np.asarray(nearest.sum(axis=0)).ravel()
        nearest.data /= np.maximum(total[nearest.indices], 1e-9).astype(np.float32)
        return cls(liked=liked, weights=nearest)

    @property
    def cold(self) -> Ints:
        """int64 (n_cold,), places of the items nobody liked."""
        return np.flatnonzero(~self.liked)

    def fill(self, scores: FloatMatrix, share: float) -> FloatMatrix:
        """Give items nobody liked a share of the mean score of the liked items like them.

        Args:
            scores: float32 (n_users, n_items); overwritten.
            share: Of the mean that is given; an item without any gets 0.

        Returns:
            ``scores``.
        """
        scores[:, self.cold] = share * (self.weights.T @ scores.T).T
        return scores

    def neighbours(self, item: int) -> tuple[Ints, FloatMatrix]:
        """The items that stand in for one, strongest first, and their weights; none if liked."""
        column = np.flatnonzero(self.cold == item)
        found = self.weights[:, column].tocoo()
        order = np.argsort(-found.data, kind="stable")
        return found.row[order].astype(np.int64), found.data[order]

    def over(self, old: Catalogue, new: Catalogue, likeness: Likeness, n_neighbours: int) -> Carry:
        """The same between the items of another catalogue, where new ones are liked by nobody."""
        places = moved_places(old, new)
        liked = np.zeros(new.n_items, dtype=np.bool_)
        liked[places[(places >= 0) & self.liked]] = True
        return Carry.between(new, likeness, liked, n_neighbours)

    def state(self) -> Arrays:
        """Arrays ``liked`` and ``carry.*`` for a recommender's state."""
        return {
            "liked": self.liked,
            "carry.data": self.weights.data,
            "carry.indices": self.weights.indices.astype(np.int32),
            "carry.indptr": self.weights.indptr.astype(np.int64),
        }

    @classmethod
    def from_state(cls, arrays: Arrays) -> Carry:
        """Rebuild from what ``state`` returned."""
        liked = arrays["liked"].astype(np.bool_)
        entries = (arrays["carry.data"], arrays["carry.indices"], arrays["carry.indptr"])
        shape = (len(liked), int((~liked).sum()))
        return cls(liked=liked, weights=sp.csr_matrix(entries, shape=shape))
