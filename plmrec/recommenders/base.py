"""The promise every recommender keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from plmrec.histories import Catalogue, Histories, TrainingData
from plmrec.types import FloatMatrix

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]
State: TypeAlias = tuple[Arrays, dict[str, Any]]

__all__ = [
    "Arrays",
    "Catalogue",
    "Contribution",
    "Histories",
    "Recommender",
    "State",
    "TrainingData",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one part of a recommender adds to the score of one item for one user.

    Attributes:
        part: Name of the part, such as ``ease``.
        value: What it adds; the values of all parts add up to the score.
        items: The user's own liked items that speak most for it, strongest first: place in the
            catalogue, and how much in the part's own units; empty for parts that do not look at the
            history.
        tags: Names of the interests of the user that the item carries and that speak for it,
            strongest first; empty for parts that know of none.
    """

    part: str
    value: float
    items: tuple[tuple[int, float], ...] = ()
    tags: tuple[str, ...] = ()


@runtime_checkable
class Recommender(Protocol):
    """Scores items for users; tests/contract/test_recommenders.py holds every backend to it.

    A recommender is fitted on some users and scores any history, also of users it never saw: what
    it keeps is about items only. It never looks at user ids.
    """

    def fit(self, data: TrainingData) -> None:
        """Learn from the histories; what was learnt before is forgotten.

        The same data and options give the same state, bit for bit, on the same machine.
        """
        ...

    def score(self, histories: Histories) -> FloatMatrix:
        """Score every item for every user.

        Args:
            histories: n_users rows over the catalogue that the recommender was fitted on, or was
                moved to by ``with_catalogue``; rows may be empty.

        Returns:
            float32 (n_users, n_items), finite; higher is better, comparable within a row only.

        Raises:
            ShapeError: The histories are over another number of items.
        """
        ...

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """Say which parts and which of the user's own items brought an item up.

        Args:
            history: One row.
            item: Place in the catalogue.

        Returns:
            One contribution per part, strongest first.
        """
        ...

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """The same recommender over another catalogue; items keep their scores by id.

        Items it does not know get the lowest standing, or one from their text where the
        recommender reads text.
        """
        ...

    def state(self) -> State:
        """What was learnt: arrays for safetensors and JSON values, nothing else."""
        ...

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """Take over what ``state`` of a recommender with the same options returned.

        Scores are then identical to those of that recommender.
        """
        ...


def moved_places(old: Catalogue, new: Catalogue) -> npt.NDArray[np.int64]:
    """Place in ``new`` of each item of ``old``; -1 for items that are gone.

    Returns:
        int64 (old.n_items,).
    """
    places = new.positions()
    return np.array([places.get(item_id, -1) for item_id in old.item_ids], dtype=np.int64)
