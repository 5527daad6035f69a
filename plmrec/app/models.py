"""Recommenders from Python: load a workspace, fit any backend, ask for lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from plmrec.app.context import open_context
from plmrec.app.inputs import read_inputs
from plmrec.app.training_data import load_data
from plmrec.backends import build_backend
from plmrec.errors import ParamsError
from plmrec.metrics.lists import NO_ITEM
from plmrec.params import Params
from plmrec.settings import load_settings

if TYPE_CHECKING:
    from plmrec.histories import Histories, TrainingData
    from plmrec.recommenders.base import Recommender


def load_workspace(workspace: str | None = None, *, params: Params | None = None) -> TrainingData:
    """Load what recommenders are fitted on: items with their vectors, and histories.

    Args:
        workspace: Folder in which ``plmrec run``, or its first three stages, ran; the environment's
            by default.
        params: ``feedback`` and ``shards`` are used; params.yaml by default.

    Raises:
        MissingStageError: The dataset or its vectors are not there.
    """
    context = open_context(load_settings(workspace=workspace), params)
    return load_data(context, read_inputs(context).fingerprint)


def fit_model(backend: str, data: TrainingData, **options: Any) -> Recommender:
    """Build a recommender and fit it.

    Args:
        backend: Name of a file in ``plmrec/recommenders``.
        data: See ``load_workspace``.
        options: Of the backend.

    Raises:
        ParamsError: The backend refuses an option.
        BackendUnavailableError: There is no such backend here.
    """
    model: Recommender = build_backend("recommenders", backend, options)
    model.fit(data)
    return model


def ask(
    model: Recommender, data: TrainingData, users: Sequence[str], *, k: int = 10
) -> dict[str, list[str]]:
    """The k best items of each user that they had nothing to do with yet, best first.

    Args:
        model: Fitted on ``data``.
        data: Holds the users' histories.
        users: Their ids.
        k: Length of the lists.

    Raises:
        ParamsError: A user did nothing.
    """
    from plmrec.stages.scoring import list_items

    told = _told(data, users, "ask")
    lists = list_items(model, told, k=k, excluded=told)
    return {
        user: [data.catalogue.item_ids[item] for item in items if item != NO_ITEM]
        for user, items in zip(users, lists.tolist(), strict=True)
    }


def interests(model: Recommender, data: TrainingData, user: str) -> dict[str, float]:
    """A user's interests: weight of each tag, the strongest first; below 0 against it.

    Tags of the same name are added up; ``plmrec.app.profile`` tells them apart.

    Args:
        model: An interest profile fitted on ``data``.
        data: Holds the user's history.
        user: Their id.

    Raises:
        ParamsError: The user did nothing, or the model knows no tags.
    """
    from plmrec.recommenders.interest_profile import InterestProfile

    if not isinstance(model, InterestProfile) or model.tags is None:
        raise ParamsError("interests: expected a fitted interest_profile, got another recommender")
    weights = model.profile(_told(data, [user], "interests"))[0]
    found: dict[str, float] = {}
    for place in np.flatnonzero(weights):
        name = model.tags.names[place]
        found[name] = found.get(name, 0.0) + float(weights[place])
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def _told(data: TrainingData, users: Sequence[str], caller: str) -> Histories:
    """Histories of some users, in their order.

    Raises:
        ParamsError: A user did nothing.
    """
    rows = {user: row for row, user in enumerate(data.histories.user_ids)}
    unknown = [user for user in users if user not in rows]
    if unknown:
        raise ParamsError(f"{caller}: expected users with a history, got {unknown[:3]}")
    return data.histories.take(np.array([rows[user] for user in users], dtype=np.int64))
