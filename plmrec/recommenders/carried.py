"""Carried: another recommender, whose scores also reach items nobody liked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from pydantic import Field, JsonValue

from plmrec.backends import build_backend
from plmrec.errors import PermanentError
from plmrec.histories import Catalogue, Histories, TrainingData
from plmrec.params import Fraction, Section
from plmrec.recommenders._carry import Carry, liked_items
from plmrec.recommenders._likeness import Likeness, learn_likeness
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State
from plmrec.types import FloatMatrix

_TOP_NEIGHBOURS: Final = 3  # items like it whose own reasons are given for an item nobody liked
_TOP_ITEMS: Final = 3


class Options(Section):
    """Options of this backend."""

    reads_text: ClassVar[bool] = True

    backend: str = Field(default="als", description="name of a file in plmrec/recommenders")
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="of that backend, which checks them"
    )
    share: Fraction = Field(
        default=1.0,
        description="share of the scores of those most like it that an item nobody liked is given",
    )
    neighbours: int = Field(default=50, ge=1, description="liked items that speak for such an item")


@dataclass(slots=True, kw_only=True, eq=False)
class Carried:
    """Scores of another recommender; an item nobody liked is given those of the items like it.

    What the crowd says of an item is worth more than its text alone, but the crowd is silent about
    new items. The mean over the liked items most like it says what the crowd would probably say.

    Attributes:
        options: See Options.
        inner: The other recommender, fitted; None before ``fit``.
        likeness: What counts as alike, learnt from what the same people like.
        carry: Who stands in for whom.
    """

    options: Options
    inner: Recommender | None = None
    likeness: Likeness = field(default_factory=lambda: Likeness(weights={}))
    carry: Carry = field(default_factory=Carry)

    def fit(self, data: TrainingData) -> None:
        """Fit the other recommender and find who is alike; see Recommender.fit."""
        self.inner = self._build()
        self.inner.fit(data)
        self.likeness, liked = learn_likeness(data), liked_items(data.histories)
        self.carry = Carry.between(data.catalogue, self.likeness, liked, self.options.neighbours)

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score."""
        return self.carry.fill(self._fitted().score(histories), self.options.share)

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """Give the other recommender's reasons; for a new item those of the items like it.

        See Recommender.explain.
        """
        inner = self._fitted()
        if self.carry.liked[item]:
            return inner.explain(history, item)
        speak: dict[int, float] = {}
        places, weights = self.carry.neighbours(item)
        for place, weight in zip(places[:_TOP_NEIGHBOURS], weights, strict=False):
            for part in inner.explain(history, int(place)):
                for liked, value in part.items:
                    speak[liked] = speak.get(liked, 0.0) + self.options.share * weight * value
        items = sorted(speak.items(), key=lambda one: (-one[1], one[0]))[:_TOP_ITEMS]
        value = float(self.score(history)[0, item])
        return (Contribution(part="carried", value=value, items=tuple(items)),)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue; new items are scored through those like them."""
        inner = self._fitted().with_catalogue(old, new)
        carry = self.carry.over(old, new, self.likeness, self.options.neighbours)
        return replace(self, inner=inner, carry=carry)

    def state(self) -> State:
        """See Recommender.state."""
        arrays, values = self._fitted().state()
        inner: Arrays = {f"inner.{key}": array for key, array in arrays.items()}
        return inner | self.carry.state(), {"inner": values, "likeness": self.likeness.weights}

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.inner = self._build()
        inner = {
            key.removeprefix("inner."): array
            for key, array in arrays.items()
            if key.startswith("inner.")
        }
        self.inner.load_state(inner, values["inner"])
        self.likeness = Likeness(weights=dict(values["likeness"]))
        self.carry = Carry.from_state(arrays)

    def _build(self) -> Recommender:
        """The other recommender, not fitted."""
        model: Recommender = build_backend(
            "recommenders", self.options.backend, self.options.options
        )
        return model

    def _fitted(self) -> Recommender:
        """The other recommender.

        Raises:
            PermanentError: ``fit`` was not called.
        """
        if self.inner is None:
            raise PermanentError("carried: expected a fitted recommender", hint="Call fit first")
        return self.inner


def build(options: Options) -> Carried:
    """Build the recommender; called by plmrec.backends."""
    return Carried(options=options)
