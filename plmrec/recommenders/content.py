"""Content: items whose texts and labels are like those of what the user liked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from plmrec.errors import PermanentError
from plmrec.histories import Catalogue, Histories, TrainingData
from plmrec.params import Section
from plmrec.recommenders._item_to_item import ItemToItem, reading
from plmrec.recommenders._likeness import Likeness, learn_likeness
from plmrec.recommenders._linear import LinearRecommender
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State
from plmrec.types import FloatMatrix


class Options(Section):
    """Options of this backend."""

    reads_text: ClassVar[bool] = True

    n_neighbours: int = Field(default=100, ge=1, description="an item's nearest that speak for it")
    decay_items: float | None = Field(
        default=5.0,
        gt=0,
        description="liked items after which an older one weighs 1/e when scoring; null: all alike",
    )


@dataclass(slots=True, kw_only=True, eq=False)
class Content:
    """Sums, over the user's liked items, how alike an item is to each; over its nearest only.

    Attributes:
        linear: The sum.
        likeness: What counts as alike, learnt from what the same people like.
    """

    linear: LinearRecommender
    likeness: Likeness | None = None

    def fit(self, data: TrainingData) -> None:
        """Learn what counts as alike, and find each item's nearest; see Recommender.fit."""
        self.likeness = learn_likeness(data)
        self._find(data.catalogue, self.likeness)

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score."""
        return self.linear.score(histories)

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """See Recommender.explain."""
        return self.linear.explain(history, item)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue; new items are read like all others."""
        fresh = build(Options.model_validate(self.linear.options.model_dump()))
        fresh.likeness = self._learnt()
        fresh._find(new, fresh.likeness)
        return fresh

    def state(self) -> State:
        """See Recommender.state."""
        arrays, values = self.linear.state()
        return arrays, {**values, "likeness": self._learnt().weights}

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.linear.load_state(arrays, values)
        self.likeness = Likeness(weights=dict(values["likeness"]))

    def _find(self, catalogue: Catalogue, likeness: Likeness) -> None:
        """Fill the matrix with each item's nearest."""
        options, places = self.linear.options, np.arange(catalogue.n_items, dtype=np.int64)
        n_neighbours = options.model_dump()["n_neighbours"]
        self.linear.model = ItemToItem(
            matrix=likeness.nearest(
                catalogue, queries=places, among=places, n_neighbours=n_neighbours
            ),
            places=places,
            n_items=catalogue.n_items,
            **reading(options),
        )

    def _learnt(self) -> Likeness:
        """What was learnt.

        Raises:
            PermanentError: ``fit`` was not called.
        """
        if self.likeness is None:
            raise PermanentError("content: expected a fitted recommender", hint="Call fit first")
        return self.likeness


def build(options: Options) -> Content:
    """Build the recommender; called by plmrec.backends."""
    return Content(linear=LinearRecommender(part="content", options=options, learn=_not_alone))


def _not_alone(data: TrainingData, options: Options) -> ItemToItem:
    """The linear part is filled by ``Content``; it never learns by itself."""
    raise PermanentError("content: expected Content.fit")
