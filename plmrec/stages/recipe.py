"""A recommender as a recipe: what to build, in JSON values, so that it can be fitted again."""

from __future__ import annotations

from typing import Any, TypeAlias

from plmrec.backends import build_backend
from plmrec.errors import ParamsError
from plmrec.histories import TrainingData
from plmrec.recommenders.base import Recommender

Recipe: TypeAlias = dict[str, Any]


def fit_recipe(recipe: Recipe, data: TrainingData) -> Recommender:
    """Fit a recommender of known options.

    Args:
        recipe: ``{"backend": name, "options": {...}}``, JSON values.
        data: What to fit it on.

    Raises:
        ParamsError: The recipe is not one, or its options are not valid.
        BackendUnavailableError: Its backend is not here.
    """
    if not isinstance(recipe.get("backend"), str) or not isinstance(recipe.get("options"), dict):
        raise ParamsError(f"recipe: expected keys backend and options, got {sorted(recipe)}")
    model: Recommender = build_backend("recommenders", recipe["backend"], recipe["options"])
    model.fit(data)
    return model
