"""Blend: a weighted sum of the standardised scores of several recommenders."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from pydantic import Field, JsonValue, model_validator

from plmrec.backends import build_backend
from plmrec.errors import PermanentError
from plmrec.histories import Bools, Catalogue, Histories, TrainingData
from plmrec.params import Fraction, Section
from plmrec.recommenders._item_to_item import empty_matrix
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State, moved_places
from plmrec.recommenders.content import nearest_texts
from plmrec.types import FloatMatrix


class Part(Section):
    """One recommender of a blend."""

    backend: str = Field(description="name of a file in plmrec/recommenders")
    options: dict[str, JsonValue] = Field(default_factory=dict)


_SEEN: Final[dict[str, JsonValue]] = {"reads": "seen"}
_PARTS: Final = {
    "popularity": Part(backend="popularity"),
    "recent_popularity": Part(backend="recent_popularity"),
    "trend": Part(backend="recent_popularity", options={"anchor": "user", "half_life_days": 14.0}),
    "ease": Part(backend="ease"),
    "ease_seen": Part(backend="ease", options=_SEEN),
    "item_knn": Part(backend="item_knn"),
    "item_knn_seen": Part(backend="item_knn", options=_SEEN),
    "markov": Part(backend="markov"),
    "markov_seen": Part(backend="markov", options={**_SEEN, "last_items": 20, "decay_items": 9.0}),
    "als": Part(backend="als"),
    "als_seen": Part(backend="als", options=_SEEN),
    "content": Part(backend="content"),
}


class Options(Section):
    """Options of this backend."""

    parts: dict[str, Part] = Field(default=_PARTS, description="name of each part, and what it is")
    weights: dict[str, float] = Field(
        default_factory=dict,
        description="weight of each part; a part without one weighs 1, or 0 when others have one",
    )
    fallback: str = Field(
        default="recent_popularity", description="the part that answers for users who liked nothing"
    )
    cold_share: Fraction = Field(
        default=0.5,
        description="share of its nearest texts' scores that an item nobody liked is given",
    )
    cold_neighbours: int = Field(default=50, ge=1, description="nearest texts of such an item")

    @model_validator(mode="after")
    def _names_agree(self) -> Options:
        if self.fallback not in self.parts:
            raise ValueError(f"fallback: expected one of {list(self.parts)}, got {self.fallback!r}")
        unknown = sorted(set(self.weights) - set(self.parts))
        if unknown:
            raise ValueError(f"weights: expected names of parts, got {unknown}")
        return self

    def weight(self, part: str) -> float:
        """Weight of a part."""
        return self.weights.get(part, 0.0 if self.weights else 1.0)


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

    Attributes:
        options: Parts and weights.
        parts: The fitted parts by name.
        liked: (n_items,), True for items anyone liked.
        carry: float32 CSR (n_items, n_cold); column c averages the nearest texts of the c-th item
            that nobody liked.
    """

    options: Options
    parts: dict[str, Any] = field(default_factory=dict)
    liked: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    carry: sp.csr_matrix = field(default_factory=lambda: empty_matrix(0, 0))

    def fit(self, data: TrainingData) -> None:
        """Fit every part; see Recommender.fit."""
        parts = _build_parts(self.options)
        for part in parts.values():
            part.fit(data)
        self.adopt(parts, data)

    def adopt(self, parts: dict[str, Any], data: TrainingData) -> None:
        """Take over parts already fitted on ``data``; the rest of ``fit``."""
        self.parts = parts
        counts = np.bincount(data.histories.positives().items, minlength=data.catalogue.n_items)
        self.liked = counts > 0
        self.carry = _nearest_liked(data.catalogue, self.liked, self.options.cold_neighbours)

    def part_scores(self, name: str, histories: Histories) -> FloatMatrix:
        """Standardised scores of one part, float32 (n_users, n_items).

        Raises:
            PermanentError: ``fit`` was not called, or there is no such part.
        """
        if name not in self.parts:
            raise PermanentError(f"blend: expected a fitted part, got {name!r}", hint="Call fit")
        scores: FloatMatrix = self.parts[name].score(histories)
        if self.options.parts[name].backend != "content":
            cold = np.flatnonzero(~self.liked)
            borrowed = (self.carry.T @ scores.T).T if len(cold) else scores[:, cold]
            scores[:, cold] = self.options.cold_share * borrowed
        return standardise(scores, histories)

    def score_parts(self, histories: Histories) -> tuple[tuple[str, ...], FloatMatrix]:
        """What each part adds to each score.

        Returns:
            The names of the parts, and float32 (n_parts, n_users, n_items); the sum over parts is
            the score. Only the fallback adds something for users who liked nothing.
        """
        names = tuple(self.options.parts)
        added = np.empty((len(names), histories.n_users, histories.n_items), dtype=np.float32)
        is_new = np.diff(histories.positives().indptr) == 0
        for row, name in enumerate(names):
            weight = self.options.weight(name)
            if weight == 0.0 and name != self.options.fallback:
                added[row] = 0.0
                continue
            scores = self.part_scores(name, histories)
            alone = 1.0 if name == self.options.fallback else 0.0
            np.multiply(scores, np.where(is_new, alone, weight)[:, None], out=added[row])
        return names, added

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score."""
        added = self.score_parts(histories)[1]
        return np.asarray(np.sum(added, axis=0), dtype=np.float32)

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
        return replace(
            self,
            parts={name: part.with_catalogue(old, new) for name, part in self.parts.items()},
            liked=liked,
            carry=_nearest_liked(new, liked, self.options.cold_neighbours),
        )

    def state(self) -> State:
        """See Recommender.state."""
        arrays: Arrays = {
            "liked": self.liked,
            "carry.data": self.carry.data,
            "carry.indices": self.carry.indices.astype(np.int32),
            "carry.indptr": self.carry.indptr.astype(np.int64),
        }
        values: dict[str, Any] = {}
        for name, part in self.parts.items():
            below, values[name] = part.state()
            arrays |= {f"{name}.{key}": array for key, array in below.items()}
        return arrays, {"parts": values}

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.parts = _build_parts(self.options)
        for name, part in self.parts.items():
            start = f"{name}."
            below = {key[len(start) :]: a for key, a in arrays.items() if key.startswith(start)}
            part.load_state(below, values["parts"][name])
        self.liked = arrays["liked"].astype(np.bool_)
        entries = (arrays["carry.data"], arrays["carry.indices"], arrays["carry.indptr"])
        n_items, n_cold = len(self.liked), int((~self.liked).sum())
        self.carry = sp.csr_matrix(entries, shape=(n_items, n_cold))


def _build_parts(options: Options) -> dict[str, Any]:
    """The parts, not fitted."""
    return {
        name: build_backend("recommenders", part.backend, part.options)
        for name, part in options.parts.items()
    }


def _nearest_liked(catalogue: Catalogue, liked: Bools, n_neighbours: int) -> sp.csr_matrix:
    """Weights that average, for each item nobody liked, its nearest liked texts."""
    nearest = nearest_texts(
        catalogue.vectors,
        queries=np.flatnonzero(~liked),
        among=np.flatnonzero(liked),
        n_neighbours=n_neighbours,
        n_items=catalogue.n_items,
    )
    total = np.asarray(nearest.sum(axis=0)).ravel()
    nearest.data /= np.maximum(total[nearest.indices], 1e-6).astype(np.float32)
    return nearest


def build(options: Options) -> Blend:
    """Build the recommender; called by plmrec.backends."""
    return Blend(options=options)
