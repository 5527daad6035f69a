"""Popularity: the items most users liked, the same for everyone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plmrec.errors import PermanentError, ShapeError
from plmrec.histories import Catalogue, Floats, Histories, TrainingData
from plmrec.params import Section
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State, moved_places
from plmrec.types import FloatMatrix


class Options(Section):
    """Options of this backend: none."""


@dataclass(slots=True, kw_only=True, eq=False)
class Popularity:
    """Scores an item by the logarithm of how many users liked it."""

    counts: Floats | None = None

    def fit(self, data: TrainingData) -> None:
        """Count likes; see Recommender.fit."""
        liked = data.histories.positives().items
        self.counts = np.bincount(liked, minlength=data.catalogue.n_items).astype(np.float64)

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score."""
        row = np.log1p(fitted(self.counts, histories)).astype(np.float32)
        return np.tile(row, (histories.n_users, 1))

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """See Recommender.explain."""
        return (Contribution(part="popularity", value=float(self.score(history)[0, item])),)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue; new items count as liked by no one."""
        counts = np.zeros(old.n_items) if self.counts is None else self.counts
        return replace(self, counts=moved_values(counts, old, new))

    def state(self) -> State:
        """See Recommender.state."""
        return {"counts": np.zeros(0) if self.counts is None else self.counts}, {}

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.counts = arrays["counts"]


def fitted(values: Floats | None, histories: Histories) -> Floats:
    """The values per item, once it is sure that they are there and fit the histories.

    Raises:
        PermanentError: ``fit`` was not called.
        ShapeError: The histories are over another number of items.
    """
    if values is None:
        raise PermanentError("score: expected a fitted recommender", hint="Call fit first")
    if len(values) != histories.n_items:
        raise ShapeError(
            f"score: expected histories over {len(values)} items, got {histories.n_items}"
        )
    return values


def moved_values(values: Floats, old: Catalogue, new: Catalogue) -> Floats:
    """Values per item carried to another catalogue by id; 0 for new items."""
    places = moved_places(old, new)
    moved = np.zeros(new.n_items)
    moved[places[places >= 0]] = values[places >= 0]
    return moved


def build(options: Options) -> Popularity:
    """Build the recommender; called by plmrec.backends."""
    return Popularity()
