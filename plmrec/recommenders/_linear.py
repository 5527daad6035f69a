"""What the item-to-item backends share: everything but how their matrix is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from plmrec.errors import PermanentError
from plmrec.histories import Catalogue, Histories, TrainingData
from plmrec.params import Section
from plmrec.recommenders._item_to_item import ItemToItem
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State
from plmrec.types import FloatMatrix


@dataclass(slots=True, kw_only=True, eq=False)
class LinearRecommender:
    """A recommender whose score is a weighted history times a matrix of items by items.

    Attributes:
        part: Name of the backend.
        options: Its checked options.
        learn: Computes the matrix from training data and options.
        model: What was learnt; None before ``fit``.
    """

    part: str
    options: Section
    learn: Callable[[TrainingData, Any], ItemToItem]
    model: ItemToItem | None = None

    @property
    def fitted(self) -> ItemToItem:
        """The model.

        Raises:
            PermanentError: ``fit`` was not called.
        """
        if self.model is None:
            raise PermanentError(f"{self.part}: expected a fitted recommender", hint="Call fit")
        return self.model

    def fit(self, data: TrainingData) -> None:
        """See Recommender.fit."""
        self.model = self.learn(data, self.options)

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score."""
        return self.fitted.score(histories)

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """See Recommender.explain."""
        return self.fitted.explain(self.part, history, item)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue."""
        return replace(self, model=self.fitted.with_catalogue(old, new))

    def state(self) -> State:
        """See Recommender.state."""
        return self.fitted.state()

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.model = ItemToItem.from_state(arrays, values, self.options)
