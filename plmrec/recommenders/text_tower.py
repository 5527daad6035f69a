"""Text tower: texts projected to where users' tastes lie, and smoothed over who liked what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field

from plmrec.errors import PermanentError, ShapeError
from plmrec.histories import Bools, Catalogue, Floats, Histories, TrainingData
from plmrec.params import Section
from plmrec.recommenders._item_to_item import strongest
from plmrec.recommenders._texts import has_text, mean_text, read_texts, sink_unknown
from plmrec.recommenders._weights import Reads, evidence, recency_weights
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State, moved_places
from plmrec.types import FloatMatrix

_SMALL = 1e-6


class Options(Section):
    """Options of this backend."""

    reads: Reads = Field(
        default="liked", description="learn from what users liked, or from all they had to do with"
    )
    decay_items: float | None = Field(
        default=5.0,
        gt=0,
        description="items after which an older one weighs 1/e when scoring; null: all alike",
    )
    width: int = Field(default=64, ge=2, le=1024, description="width of the tower's space")
    hidden: int = Field(default=256, ge=1, le=4096, description="inner width of the projection")
    steps: int = Field(
        default=1, ge=0, le=8, description="walks from items to their users and back"
    )
    temperature: float = Field(default=0.15, gt=0, description="what cosines are divided by")
    n_negatives: int = Field(default=512, ge=1, description="other items drawn per batch")
    epochs: int = Field(default=20, ge=1, description="passes over the entries, at most")
    max_steps: int = Field(default=400, ge=1, description="batches, at most")
    batch_size: int = Field(default=4096, ge=1, description="entries per batch")
    learning_rate: float = Field(default=1e-3, gt=0, description="of AdamW")
    weight_decay: float = Field(default=0.0, ge=0, description="of AdamW")
    seed: int = Field(default=7, ge=0, description="seed of every random choice")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learnt:
    """Where items lie in the tower's space, and how texts get there.

    Attributes:
        items: float32 (n_items, width), unit rows; zeros for items that are not known.
        mean: float32 (d,), mean of the texts' vectors in training; empty without texts.
        weights: Of the projection (``text.*``); none when nothing was learnt.
    """

    items: FloatMatrix
    mean: FloatMatrix
    weights: Arrays

    @property
    def known(self) -> Bools:
        """(n_items,), True where an item has a vector."""
        return np.asarray(np.any(self.items != 0, axis=1))


@dataclass(slots=True, kw_only=True, eq=False)
class TextTower:
    """Cosine of an item to the mean of the user's items, in a space learnt from texts and likes.

    No user and no item has parameters of its own, so that new ones are read like all others.

    Source:
        Sheng, Zhang, Zhang, Chen, Wang and Chua 2024, "Language representations can be what
        recommenders need: findings and potentials".
    """

    options: Options
    learnt: Learnt | None = None

    @property
    def fitted(self) -> Learnt:
        """What was learnt.

        Raises:
            PermanentError: ``fit`` was not called.
        """
        if self.learnt is None:
            raise PermanentError("text_tower: expected a fitted recommender", hint="Call fit first")
        return self.learnt

    def fit(self, data: TrainingData) -> None:
        """Train; see Recommender.fit."""
        from plmrec.recommenders._torch import weights_of
        from plmrec.recommenders._tower_training import train

        catalogue, options = data.catalogue, self.options
        mean = mean_text(catalogue)
        items = np.zeros((catalogue.n_items, options.width), dtype=np.float32)
        self.learnt = Learnt(items=items, mean=mean, weights={})
        texts = read_texts(catalogue, mean)
        read = evidence(data.histories, options.reads)
        read = read.keep(has_text(catalogue)[read.items])
        if not np.any(np.diff(read.indptr) > 1):
            return  # nobody whose items could be told from others
        tower = train(read, texts, options)
        items[has_text(catalogue)] = tower.items[has_text(catalogue)]
        self.learnt = Learnt(items=items, mean=mean, weights=weights_of(tower.projection, "text."))

    def _weigh(self, histories: Histories) -> tuple[Histories, Floats]:
        """The entries that are looked at, and the weight of each."""
        learnt = self.fitted
        if histories.n_items != len(learnt.items):
            raise ShapeError(
                f"text_tower: expected histories over {len(learnt.items)} items, "
                f"got {histories.n_items}"
            )
        read = evidence(histories, self.options.reads)
        read = read.keep(learnt.known[read.items])
        weights = recency_weights(read, self.options.decay_items) * np.minimum(read.weights, 1.0)
        return read, weights

    def _users(self, read: Histories, weights: Floats) -> FloatMatrix:
        """Weighted means of the users' items, brought to length 1, float32 (n_users, width)."""
        users = np.asarray(read.matrix(weights) @ self.fitted.items)
        norms = np.linalg.norm(users, axis=1, keepdims=True)
        return np.asarray(users / np.maximum(norms, _SMALL), dtype=np.float32)

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score; items without text stand with the lowest."""
        read, weights = self._weigh(histories)
        learnt = self.fitted
        return sink_unknown(self._users(read, weights) @ learnt.items.T, learnt.known)

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """Split the cosine over the user's items; see Recommender.explain."""
        read, weights = self._weigh(history)
        score = float(self.score(history)[0, item])
        learnt = self.fitted
        length = max(float(np.linalg.norm(weights @ learnt.items[read.items])), _SMALL)
        added = weights * (learnt.items[read.items] @ learnt.items[item]) / length
        items = strongest(read.items, added.astype(np.float64), history)
        return (Contribution(part="text_tower", value=score, items=items),)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue; new items are projected from their text alone."""
        from plmrec.recommenders._torch import projection_of

        learnt, places = self.fitted, moved_places(old, new)
        there = places >= 0
        items = np.zeros((new.n_items, learnt.items.shape[1]), dtype=np.float32)
        items[places[there]] = learnt.items[there]
        projection = projection_of(learnt.weights, "text.")
        if projection is not None:
            fresh = has_text(new) & ~np.any(items != 0, axis=1)
            found = projection.project(read_texts(new, learnt.mean)[fresh])
            items[fresh] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), _SMALL)
        return TextTower(options=self.options, learnt=replace(learnt, items=items))

    def state(self) -> State:
        """See Recommender.state."""
        learnt = self.fitted
        arrays: Arrays = {"items": learnt.items, "mean": learnt.mean}
        return arrays | learnt.weights, {}

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        weights = {name: array for name, array in arrays.items() if name.startswith("text.")}
        self.learnt = Learnt(items=arrays["items"], mean=arrays["mean"], weights=weights)


def build(options: Options) -> TextTower:
    """Build the recommender; called by plmrec.backends."""
    return TextTower(options=options)
