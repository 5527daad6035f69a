"""Bayesian personalised ranking: factors of items learnt from pairs, onto which histories fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from plmrec.errors import PermanentError, ShapeError
from plmrec.histories import Catalogue, Floats, Histories, Ints, TrainingData
from plmrec.params import Section
from plmrec.recommenders._item_to_item import known_items, strongest
from plmrec.recommenders._weights import Reads, evidence, recency_weights
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State, moved_places
from plmrec.types import FloatMatrix


class Options(Section):
    """Options of this backend."""

    factors: int = Field(default=64, ge=1, le=1024, description="width of the latent space")
    learning_rate: float = Field(default=0.05, gt=0, description="step of the gradient descent")
    l2: float = Field(default=0.03, gt=0, description="weight of the ridge penalty when learning")
    iterations: int = Field(default=40, ge=1, description="passes over the likes")
    fold_l2: float = Field(
        default=2.0, gt=0, description="weight of the ridge penalty when a history is folded in"
    )
    decay_items: float | None = Field(
        default=10.0,
        gt=0,
        description="items after which an older one weighs 1/e when scoring; null: all alike",
    )
    reads: Reads = Field(
        default="liked", description="learn from what users liked, or from all they had to do with"
    )
    seed: int = Field(default=7, ge=0, description="seed of the first factors and of the pairs")


class _Folded(NamedTuple):
    """The normal equations of some users' factors."""

    left: Floats  # (n_users, f, f)
    per_entry: Floats  # (n, f), what each entry adds to its user's right side
    read: Histories


@dataclass(slots=True, kw_only=True, eq=False)
class Bpr:
    """Factors that rank what a user liked above what they did not.

    Learning takes the user's factors from the library and drops them: a history's factors u are
    those that minimise, over its items i and all items j, the squared form of the same pairwise
    loss, ``Σ_i w_i mean_j (1 - (s_i - s_j))² + fold_l2 |u|²`` with ``s = q·u + b``. That is a
    ridge regression on the factors' mean and covariance, with one solution for any history.

    Source:
        Rendle, Freudenthaler, Gantner and Schmidt-Thieme 2009, "BPR: Bayesian personalized ranking
        from implicit feedback"; the squared pairwise loss is that of Takács and Tikk 2012,
        "Alternating least squares for personalized ranking".

    Attributes:
        options: See Options.
        n_items: Size of the catalogue.
        places: int64 (n_known,), place of each known item; -1 when it is gone.
        factors: float32 (n_known, f).
        biases: float32 (n_known,), score of each item for a user of whom nothing is known.
    """

    options: Options
    n_items: int = -1
    places: Ints | None = None
    factors: FloatMatrix | None = None
    biases: FloatMatrix | None = None

    def fit(self, data: TrainingData) -> None:
        """Descend on sampled pairs with ``implicit``; see Recommender.fit."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking
        from threadpoolctl import threadpool_limits

        options = self.options
        read = evidence(data.histories, options.reads)
        self.n_items, self.places = data.catalogue.n_items, known_items(read)
        width = min(options.factors, max(1, len(self.places)))
        likes = read.matrix(np.ones(len(read.items)))[:, self.places].tocsr()
        learnt = np.zeros((len(self.places), width + 1), dtype=np.float32)
        if len(self.places):
            with threadpool_limits(1, "blas"):  # or BLAS and implicit fight for the cores
                model = BayesianPersonalizedRanking(
                    factors=width,
                    learning_rate=options.learning_rate,
                    regularization=options.l2,
                    iterations=options.iterations,
                    random_state=options.seed,
                    num_threads=1,  # threads write the same factors in any order
                )
                model.fit(likes, show_progress=False)
            learnt = np.asarray(model.item_factors, dtype=np.float32)
        self.factors, self.biases = learnt[:, :-1].copy(), learnt[:, -1].copy()

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score; items it does not know get the lowest score of the row."""
        folded = self._fold(histories)
        right = np.zeros(folded.left.shape[:2])
        np.add.at(right, folded.read.users, folded.per_entry)
        users = np.linalg.solve(folded.left, right[:, :, None])[:, :, 0].astype(np.float32)
        places, factors, biases = self._learnt()
        there = places >= 0
        known = users @ factors[there].T + biases[there]
        scores = np.zeros((histories.n_users, self.n_items), dtype=np.float32)
        if known.size:
            scores += known.min(axis=1, keepdims=True)
            scores[:, places[there]] = known
        return scores

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """Split the score over the user's items and the item's bias; see Recommender.explain."""
        folded = self._fold(history)
        value = float(self.score(history)[0, item])
        places, factors, _ = self._learnt()
        row = np.flatnonzero(places == item)
        if not row.size:
            return (Contribution(part="bpr", value=value),)
        direction = np.linalg.solve(folded.left[0], factors[row[0]].astype(np.float64))
        items = strongest(folded.read.items, folded.per_entry @ direction, history)
        return (Contribution(part="bpr", value=value, items=items),)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue."""
        places = self._learnt()[0]
        moved = np.where(places >= 0, moved_places(old, new)[np.maximum(places, 0)], -1)
        return replace(self, n_items=new.n_items, places=moved)

    def state(self) -> State:
        """See Recommender.state."""
        places, factors, biases = self._learnt()
        return {"places": places, "factors": factors, "biases": biases}, {"n_items": self.n_items}

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.n_items = int(values["n_items"])
        self.places, self.factors = arrays["places"], arrays["factors"]
        self.biases = arrays["biases"]

    def _learnt(self) -> tuple[Ints, FloatMatrix, FloatMatrix]:
        """Places, factors and biases.

        Raises:
            PermanentError: ``fit`` was not called.
        """
        if self.places is None or self.factors is None or self.biases is None:
            raise PermanentError("bpr: expected a fitted recommender", hint="Call fit first")
        return self.places, self.factors, self.biases

    def _fold(self, histories: Histories) -> _Folded:
        """Both sides of the equations for the factors of some users."""
        places, factors, biases = self._learnt()
        if histories.n_items != self.n_items:
            raise ShapeError(
                f"bpr: expected histories over {self.n_items} items, got {histories.n_items}"
            )
        there = places >= 0
        row_of = np.full(self.n_items, -1, dtype=np.int64)
        row_of[places[there]] = np.flatnonzero(there)
        read = evidence(histories, self.options.reads)
        read = read.keep(row_of[read.items] >= 0)
        weights = recency_weights(read, self.options.decay_items) * np.minimum(read.weights, 1.0)
        width, n_known = factors.shape[1], max(len(factors), 1)
        q, b = factors.astype(np.float64), biases.astype(np.float64)
        away = q - q.sum(axis=0) / n_known
        level = b - b.sum() / n_known
        rows = away[row_of[read.items]]
        spread, tilt = away.T @ away / n_known, away.T @ level / n_known
        gap = 1.0 - level[row_of[read.items]]
        per_entry = weights[:, None] * (rows * gap[:, None] - tilt)
        left = np.tile(self.options.fold_l2 * np.eye(width), (histories.n_users, 1, 1))
        for user in range(histories.n_users):
            part = slice(read.indptr[user], read.indptr[user + 1])
            left[user] += (rows[part] * weights[part, None]).T @ rows[part]
            left[user] += weights[part].sum() * spread
        return _Folded(left, per_entry, read)


def build(options: Options) -> Bpr:
    """Build the recommender; called by plmrec.backends."""
    return Bpr(options=options)
