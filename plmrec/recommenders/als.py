"""Implicit ALS: latent factors of items, onto which any history is folded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field

from plmrec.errors import PermanentError, ShapeError
from plmrec.histories import Catalogue, Histories, Ints, TrainingData
from plmrec.params import Section
from plmrec.recommenders._item_to_item import known_items, strongest
from plmrec.recommenders._weights import Reads, evidence, recency_weights
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State, moved_places
from plmrec.types import FloatMatrix


class Options(Section):
    """Options of this backend."""

    factors: int = Field(default=64, ge=1, le=1024, description="width of the latent space")
    l2: float = Field(default=30.0, gt=0, description="weight of the ridge penalty")
    alpha: float = Field(default=15.0, gt=0, description="confidence that a like adds to 1")
    iterations: int = Field(default=12, ge=1, description="passes over users and items")
    decay_items: float | None = Field(
        default=5.0,
        gt=0,
        description="items after which an older one weighs 1/e when scoring; null: all alike",
    )
    reads: Reads = Field(
        default="liked", description="learn from what users liked, or from all they had to do with"
    )
    seed: int = Field(default=7, ge=0, description="seed of the first factors")


@dataclass(slots=True, kw_only=True, eq=False)
class Als:
    """Weighted matrix factorisation; a user's factors are solved from the history when scoring.

    Source:
        Hu, Koren and Volinsky 2008, "Collaborative filtering for implicit feedback datasets".
    """

    options: Options
    n_items: int = -1
    places: Ints | None = None
    factors: FloatMatrix | None = None

    def fit(self, data: TrainingData) -> None:
        """Factorise users by items with ``implicit``; see Recommender.fit."""
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        options = self.options
        read = evidence(data.histories, options.reads)
        self.n_items, self.places = data.catalogue.n_items, known_items(read)
        confidence = read.matrix(1.0 + options.alpha * read.weights)[:, self.places]
        width = min(options.factors, max(1, len(self.places)))
        if len(self.places):
            with threadpool_limits(1, "blas"):  # or BLAS and implicit fight for the cores
                model = AlternatingLeastSquares(
                    factors=width,
                    regularization=options.l2,
                    alpha=1.0,
                    iterations=options.iterations,
                    random_state=options.seed,
                    num_threads=0,  # all cores; each row is solved alone: the result is the same
                )
                model.fit(confidence.tocsr(), show_progress=False)
            self.factors = np.asarray(model.item_factors, dtype=np.float32)
        else:
            self.factors = np.zeros((0, width), dtype=np.float32)

    def factors_of(self, items: Ints) -> FloatMatrix:
        """Unit factors of some items, float32 (n, f); zeros for items it does not know."""
        if self.factors is None or self.places is None:
            raise PermanentError("als: expected a fitted recommender", hint="Call fit first")
        row_of = np.full(self.n_items, -1, dtype=np.int64)
        row_of[self.places[self.places >= 0]] = np.flatnonzero(self.places >= 0)
        found = np.where((row_of[items] >= 0)[:, None], self.factors[row_of[items]], 0.0)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.maximum(lengths, 1e-9), dtype=np.float32)

    def _solve(self, histories: Histories) -> tuple[FloatMatrix, FloatMatrix, Histories]:
        """Left sides (n_users, f, f) and right sides (n_users, f) per user, and what was read."""
        if self.factors is None or self.places is None:
            raise PermanentError("als: expected a fitted recommender", hint="Call fit first")
        if histories.n_items != self.n_items:
            raise ShapeError(
                f"als: expected histories over {self.n_items} items, got {histories.n_items}"
            )
        factors, there = self.factors, self.places >= 0
        known = np.full(self.n_items, -1, dtype=np.int64)
        known[self.places[there]] = np.flatnonzero(there)
        read = evidence(histories, self.options.reads)
        read = read.keep(known[read.items] >= 0)
        rows = factors[known[read.items]]
        weights = recency_weights(read, self.options.decay_items) * read.weights
        gain = (self.options.alpha * weights)[:, None].astype(np.float32)
        width = factors.shape[1]
        outer = np.zeros((read.n_users, width, width), dtype=np.float32)
        right = np.zeros((read.n_users, width), dtype=np.float32)
        for user in range(read.n_users):
            part = slice(read.indptr[user], read.indptr[user + 1])
            outer[user] = (rows[part] * gain[part]).T @ rows[part]
            right[user] = (rows[part] * (1.0 + gain[part])).sum(axis=0)
        left = outer + factors.T @ factors
        left += self.options.l2 * np.eye(width, dtype=np.float32)
        return left, right, read

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score."""
        left, right, _ = self._solve(histories)
        users = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        scores = np.zeros((histories.n_users, self.n_items), dtype=np.float32)
        if self.factors is not None and self.places is not None:
            there = self.places >= 0
            scores[:, self.places[there]] = users @ self.factors[there].T
        return scores

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """Split the score over the user's items; see Recommender.explain.

        The user's factors are linear in the right-hand side, which is a sum over items.

        Source:
            Hu, Koren and Volinsky 2008, section 5, "Explaining recommendations".
        """
        left, _, read = self._solve(history)
        places, factors = self.places, self.factors
        if places is None or factors is None or not np.any(places == item):
            return (Contribution(part="als", value=0.0),)
        known = {int(place): row for row, place in enumerate(places) if place >= 0}
        direction = np.linalg.solve(left[0], factors[known[item]])
        rows = factors[[known[int(place)] for place in read.items]]
        weights = recency_weights(read, self.options.decay_items) * read.weights
        added = (rows @ direction) * (1.0 + self.options.alpha * weights)
        items = strongest(read.items, added, history)
        return (Contribution(part="als", value=float(added.sum()), items=items),)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue."""
        places = np.zeros(0, dtype=np.int64) if self.places is None else self.places
        moved = np.where(places >= 0, moved_places(old, new)[np.maximum(places, 0)], -1)
        return replace(self, n_items=new.n_items, places=moved)

    def state(self) -> State:
        """See Recommender.state."""
        places = np.zeros(0, dtype=np.int64) if self.places is None else self.places
        factors = np.zeros((0, 1), dtype=np.float32) if self.factors is None else self.factors
        return {"places": places, "factors": factors}, {"n_items": self.n_items}

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.n_items = int(values["n_items"])
        self.places, self.factors = arrays["places"], arrays["factors"]


def build(options: Options) -> Als:
    """Build the recommender; called by plmrec.backends."""
    return Als(options=options)
