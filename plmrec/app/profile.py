"""A person's interest profile: tags with weights, and the interactions behind each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import numpy as np
import pyarrow as pa

from plmrec.app.comments import comment_judge
from plmrec.app.context import Context, open_context
from plmrec.app.inputs import read_inputs
from plmrec.app.training_data import (
    load_catalogue,
    load_history,
    load_interactions,
    masker,
    usual_weight_near,
)
from plmrec.backends import build_backend
from plmrec.errors import ParamsError
from plmrec.histories import Catalogue, Histories, TrainingData
from plmrec.params import Params
from plmrec.recommenders.interest_profile import InterestProfile
from plmrec.settings import Settings
from plmrec.stages.training_data import comment_sentiments
from plmrec.types import Event

_BACKEND = "interest_profile"


def profile(
    user: str, *, settings: Settings | None = None, params: Params | None = None
) -> dict[str, Any]:
    """Show the interest profile of one user, from the workspace alone.

    Args:
        user: Id as in the dataset.
        settings: Where to run; the environment by default.
        params: ``feedback``, ``shards`` and the options of the part ``interest_profile`` are used.

    Returns:
        ``user_id kind taxonomy encoder threshold n_items n_matching tags``. ``kind`` says what a
        tag is; ``taxonomy`` holds its ``version`` and ``digest``, or is None. Each of ``tags``,
        the strongest first, has ``tag_id name weight because``: the user's items behind it,
        strongest first, each with ``item_id title adds events``; what the items add sums up to the
        weight. Weights are shares of the history, in [-1, 1], below 0 where the user is against
        it. ``n_matching`` items have a cosine with the user above ``threshold``.

    Raises:
        ParamsError: There are no interactions of this user.
        MissingStageError: The dataset or its vectors are not there.
    """
    context = open_context(settings, params)
    inputs = read_inputs(context)
    catalogue = load_catalogue(context, inputs.fingerprint)
    rows = load_interactions(context, user)
    if not rows.num_rows:
        text = user.encode("utf-8", "replace").decode()
        raise ParamsError(
            f"profile: expected a user with interactions, found none of {text!r}",
            hint="Ids are those of user_id in the dataset's interactions, letter by letter",
        )
    history = load_history(context, catalogue, user)
    history = history.in_units(usual_weight_near(context, catalogue, user))
    model = fit_profile(catalogue, context.params)
    told = catalogue.tags if model.kind == "taxonomy" else None
    return {
        "user_id": user,
        "kind": model.kind,
        "taxonomy": None if told is None else {"version": told.version, "digest": told.digest},
        "encoder": {key: inputs.encoder.get(key) for key in ("name", "fingerprint")},
        "threshold": model.options.threshold,
        "n_items": catalogue.n_items,
        "n_matching": len(model.matching(history)) if history.items.size else 0,
        "tags": _tags(model, history, _titles(context, catalogue, history), _events(context, rows)),
    }


def fit_profile(catalogue: Catalogue, params: Params) -> InterestProfile:
    """Fit the interest profile over a catalogue, with the options that a release would take.

    Raises:
        ParamsError: The options in params.yaml are refused.
    """
    parts = cast("dict[str, Any]", params.training.options.get("parts") or {})
    named = [part for part in parts.values() if part.get("backend") == _BACKEND]
    options: dict[str, Any] = named[0].get("options", {}) if named else {}
    model: InterestProfile = build_backend("recommenders", _BACKEND, options)
    nobody = Histories.empty((), catalogue.n_items)
    model.fit(TrainingData(catalogue=catalogue, histories=nobody, now=0.0))
    return model


def _tags(
    model: InterestProfile,
    history: Histories,
    titles: Sequence[tuple[str, str]],
    events: dict[str, list[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """The tags of a profile, the strongest for it first, the strongest against it last."""
    tags = model.tags
    if tags is None or not history.items.size:
        return []
    behind = model.behind(history).tocsc()
    weights = np.asarray(behind.sum(axis=0)).ravel()
    found = []
    for place in np.argsort(-weights, kind="stable"):
        column = behind[:, [place]].tocoo()
        order = np.lexsort((column.row, -np.abs(column.data)))
        if not len(order):
            continue
        because = []
        for entry in order:
            item_id, title = titles[column.row[entry]]
            because.append(
                {
                    "item_id": item_id,
                    "title": title,
                    "adds": float(column.data[entry]),
                    "events": events.get(item_id, []),
                }
            )
        found.append(
            {
                "tag_id": tags.tag_ids[place] if tags.tag_ids else None,
                "name": tags.names[place],
                "weight": float(weights[place]),
                "because": because,
            }
        )
    return found


def _titles(context: Context, catalogue: Catalogue, history: Histories) -> list[tuple[str, str]]:
    """Id and title of each entry's item, the title without personal data."""
    clean = masker(context)
    ids = [catalogue.item_ids[item] for item in history.items.tolist()]
    titles = [clean(catalogue.titles[item]) for item in history.items.tolist()]
    return [(item_id, title or item_id) for item_id, title in zip(ids, titles, strict=True)]


def _events(context: Context, rows: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """What the user did with each item, in order of time; impressions are left out.

    Words of comments are without personal data.
    """
    clean, feel = masker(context), comment_judge(context)
    felt = None if feel is None else comment_sentiments(rows, feel)
    found: dict[str, list[dict[str, Any]]] = {}
    for place, row in enumerate(rows.to_pylist()):
        if row["event"] == Event.IMPRESSION:
            continue
        sentiment = None if felt is None or np.isnan(felt[place]) else float(felt[place])
        time: datetime | None = row["timestamp"]
        found.setdefault(row["item_id"], []).append(
            {
                "event": row["event"],
                "value": row["value"],
                "text": None if row["text"] is None else clean(row["text"]),
                "sentiment": sentiment,
                "timestamp": None if time is None else time.isoformat(),
            }
        )
    return found
