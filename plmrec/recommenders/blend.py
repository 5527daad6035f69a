"""Blend: a weighted sum of the standardised scores of several recommenders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from pydantic import Field, JsonValue, model_validator

from plmrec.backends import build_backend, load_backend
from plmrec.errors import PermanentError
from plmrec.histories import Bools, Catalogue, Histories, Ints, TrainingData
from plmrec.params import Fraction, Section
from plmrec.recommenders._carry import liked_items
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State, moved_places
from plmrec.types import FloatMatrix

_DAY_S: Final = 86_400.0

Context: TypeAlias = Literal["recent", "away", "new", "cold"]
CONTEXTS: Final[tuple[Context, ...]] = get_args(Context)
USER_CONTEXTS: Final[tuple[Context, ...]] = ("recent", "away", "new")


class Part(Section):
    """One recommender of a blend."""

    backend: str = Field(description="name of a file in plmrec/recommenders")
    options: dict[str, JsonValue] = Field(default_factory=dict)
    is_fixed: bool = Field(default=False, description="whether tuning leaves the options alone")

    @property
    def is_personal(self) -> bool:
        """Whether it looks at what the user liked."""
        return not self.backend.endswith("popularity")

    @property
    def reads_text(self) -> bool:
        """Whether it knows items nobody liked by what is written about them.

        A backend says so with an attribute ``reads_text`` of its ``Options``.
        """
        options = load_backend("recommenders", self.backend).Options
        return bool(getattr(options.model_validate(self.options), "reads_text", False))


_SEEN: Final[dict[str, JsonValue]] = {"reads": "seen"}
_PARTS: Final = {
    "popularity": Part(backend="popularity"),
    "recent_popularity": Part(backend="recent_popularity"),
    "month": Part(backend="recent_popularity", options={"half_life_days": 30.0}, is_fixed=True),
    "week": Part(backend="recent_popularity", options={"half_life_days": 7.0}, is_fixed=True),
    "trend": Part(
        backend="recent_popularity",
        options={"anchor": "user", "half_life_days": 14.0},
        is_fixed=True,
    ),
    "ease": Part(backend="ease", options=_SEEN),
    "item_knn": Part(backend="item_knn", options=_SEEN),
    "markov": Part(backend="markov", options={**_SEEN, "last_items": 20, "decay_items": 9.0}),
    "als": Part(backend="als", options=_SEEN),
    "sasrec": Part(backend="sasrec"),
    "carried": Part(backend="carried", options={"options": {"decay_items": None}}),
    "content": Part(backend="content", options={"decay_items": None}),
}


class Options(Section):
    """Options of this backend."""

    parts: dict[str, Part] = Field(default=_PARTS, description="name of each part, and what it is")
    weights: dict[Context, dict[str, float]] = Field(
        default_factory=dict,
        description="weights of the parts for users who were active lately (recent) or long ago "
        "(away), for users who liked nothing yet (new), and for items nobody liked yet (cold); a "
        "part left out weighs 0; a context left out has equal weights, of what can tell at all",
    )
    away_days: float | None = Field(
        default=None,
        ge=0,
        description="days without a sign of a user that make them away; null: no one is",
    )
    cold_share: Fraction = Field(
        default=0.5, description="what scores of items nobody liked are multiplied with"
    )

    @model_validator(mode="after")
    def _names_agree(self) -> Options:
        if not self.parts:
            raise ValueError("parts: expected one at least")
        for context, weights in self.weights.items():
            unknown = sorted(set(weights) - set(self.parts))
            if unknown:
                raise ValueError(f"weights.{context}: expected names of parts, got {unknown}")
        return self

    @property
    def reads_text(self) -> bool:
        """Whether any part knows items nobody liked."""
        return any(part.reads_text for part in self.parts.values())

    def weight(self, part: str, context: Context) -> float:
        """Weight of a part in a context."""
        if context in self.weights:
            return self.weights[context].get(part, 0.0)
        if context == "cold":
            return float(self.parts[part].reads_text)
        if context == "new" and any(not each.is_personal for each in self.parts.values()):
            return float(not self.parts[part].is_personal)
        return 1.0


def standardise(scores: FloatMatrix, histories: Histories) -> FloatMatrix:
    """Bring each user's scores to a common scale: ``asinh((s - mean) / deviation)``.

    Mean and standard deviation are taken over the items the user has not seen. The inverse
    hyperbolic sine is linear near 0 and logarithmic far out, so that the long tail of one part
    cannot drown the others. A row of equal scores becomes 0.

    Args:
        scores: float32 (n_users, n_items); overwritten.
        histories: The same users.

    Returns:
        ``scores``, standardised.
    """
    seen, users = scores[histories.users, histories.items].astype(np.float64), histories.users
    n_users, n_items = scores.shape
    n = np.maximum(n_items - np.diff(histories.indptr), 1)
    total = scores.sum(axis=1, dtype=np.float64) - np.bincount(users, seen, n_users)
    mean = total / n
    scores -= mean[:, None].astype(np.float32)
    squares = np.einsum("ui,ui->u", scores, scores, dtype=np.float64)
    squares -= np.bincount(users, (seen - mean[users]) ** 2, n_users)
    deviation = np.sqrt(np.maximum(squares, 0.0) / n)
    flat = deviation <= 1e-6 * np.maximum(1.0, np.abs(mean))
    scores /= np.where(flat, np.inf, deviation)[:, None].astype(np.float32)
    return np.arcsinh(scores, out=scores)


@dataclass(slots=True, kw_only=True, eq=False)
class Blend:
    """Several recommenders as one; its options, weights included, are the whole recipe.

    The weights depend on who asks: what was in fashion this week matters to a user who was here
    yesterday, the own taste to one who is back after months. Items nobody liked are scored by the
    parts that read texts alone.

    Attributes:
        options: Parts and weights.
        parts: The fitted parts by name.
        liked: (n_items,), True for items anyone liked.
        now: The clock of the data it was fitted on, seconds since 1970.
    """

    options: Options
    parts: dict[str, Any] = field(default_factory=dict)
    liked: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    now: float = 0.0

    def fit(self, data: TrainingData) -> None:
        """Fit every part; see Recommender.fit."""
        parts = _build_parts(self.options)
        for part in parts.values():
            part.fit(data)
        self.adopt(parts, data)

    def adopt(self, parts: dict[str, Any], data: TrainingData) -> None:
        """Take over parts already fitted on ``data``; the rest of ``fit``."""
        self.parts, self.now = parts, data.now
        self.liked = liked_items(data.histories)

    def contexts(self, histories: Histories) -> npt.NDArray[np.int8]:
        """Context of each user, int8 (n_users,), places in ``USER_CONTEXTS``."""
        likes = np.diff(histories.positives().indptr)
        found = np.zeros(histories.n_users, dtype=np.int8)
        if self.options.away_days is not None:
            gone = self.now - histories.last_times() > self.options.away_days * _DAY_S
            found[gone] = USER_CONTEXTS.index("away")
        found[likes == 0] = USER_CONTEXTS.index("new")
        return found

    def part_scores(self, name: str, histories: Histories) -> FloatMatrix:
        """Standardised scores of one part, float32 (n_users, n_items).

        Raises:
            PermanentError: ``fit`` was not called, or there is no such part.
        """
        if name not in self.parts:
            raise PermanentError(f"blend: expected a fitted part, got {name!r}", hint="Call fit")
        return standardise(self.parts[name].score(histories), histories)

    def score_parts(self, histories: Histories) -> tuple[tuple[str, ...], FloatMatrix]:
        """What each part adds to each score.

        Returns:
            The names of the parts, and float32 (n_parts, n_users, n_items); the sum over parts is
            the score.
        """
        names = tuple(self.options.parts)
        shape = (len(names), histories.n_users, histories.n_items)
        added = np.zeros(shape, dtype=np.float32)
        for row, (_, users, scores) in enumerate(self._weighted(histories)):
            if len(users):
                added[row, users] = scores
        return names, added

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score."""
        total = np.zeros((histories.n_users, histories.n_items), dtype=np.float32)
        for _, users, scores in self._weighted(histories):
            if len(users) == histories.n_users:
                total += scores
            elif len(users):
                total[users] += scores
        return total

    def _weighted(self, histories: Histories) -> Iterator[tuple[str, Ints, FloatMatrix]]:
        """Part by part: its name, the users it speaks to, and what it adds to their scores."""
        options, contexts = self.options, self.contexts(histories)
        cold, is_new = np.flatnonzero(~self.liked), contexts == USER_CONTEXTS.index("new")
        for name in options.parts:
            by_context = [options.weight(name, context) for context in USER_CONTEXTS]
            weights = np.array(by_context, dtype=np.float32)[contexts]
            on_cold = options.cold_share * options.weight(name, "cold") if len(cold) else 0.0
            users = np.flatnonzero((weights != 0) | (~is_new & (on_cold != 0)))
            if not len(users):
                yield name, users, np.zeros((0, histories.n_items), dtype=np.float32)
                continue
            told = histories if len(users) == histories.n_users else histories.take(users)
            scores = self.part_scores(name, told)
            known = ~is_new[users, None]
            new_items = np.where(known, on_cold, weights[users, None]) * scores[:, cold]
            scores *= weights[users, None]
            scores[:, cold] = new_items
            yield name, users, scores

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """See Recommender.explain."""
        names, added = self.score_parts(history)
        found = []
        for name, value in zip(names, added[:, 0, item], strict=True):
            below = self.parts[name].explain(history, item) if value > 0 else ()
            items = below[0].items if below else ()
            found.append(Contribution(part=name, value=float(value), items=items))
        return tuple(sorted(found, key=lambda one: -one.value))

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue."""
        places = moved_places(old, new)
        liked = np.zeros(new.n_items, dtype=np.bool_)
        liked[places[(places >= 0) & self.liked]] = True
        parts = {name: part.with_catalogue(old, new) for name, part in self.parts.items()}
        return replace(self, parts=parts, liked=liked)

    def state(self) -> State:
        """See Recommender.state."""
        arrays: Arrays = {"liked": self.liked}
        values: dict[str, Any] = {}
        for name, part in self.parts.items():
            below, values[name] = part.state()
            arrays |= {f"{name}.{key}": array for key, array in below.items()}
        return arrays, {"parts": values, "now": self.now}

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.parts = _build_parts(self.options)
        for name, part in self.parts.items():
            start = f"{name}."
            below = {key[len(start) :]: a for key, a in arrays.items() if key.startswith(start)}
            part.load_state(below, values["parts"][name])
        self.liked, self.now = arrays["liked"].astype(np.bool_), float(values["now"])


def _build_parts(options: Options) -> dict[str, Any]:
    """The parts, not fitted."""
    return {
        name: build_backend("recommenders", part.backend, part.options)
        for name, part in options.parts.items()
    }


def build(options: Options) -> Blend:
    """Build the recommender; called by plmrec.backends."""
    return Blend(options=options)
