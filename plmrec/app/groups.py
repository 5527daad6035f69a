"""Opens what the tables of items and users say besides histories, for slices of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from plmrec.app.context import Context
from plmrec.histories import Bools, Catalogue, Histories
from plmrec.stages.slices import Groups, group_values
from plmrec.stores.tables import items_table, users_table

_COLUMNS = ("kind", "language")


def load_groups(context: Context, catalogue: Catalogue, histories: Histories) -> Groups:
    """Load the kinds and languages of the items, and every attribute of the users.

    Args:
        context: Whose dataset.
        catalogue: The items, in its order.
        histories: The users, in its order.
    """
    return Groups(
        items=_item_slices(context, catalogue),
        users=_user_groups(context, histories),
    )


def _item_slices(context: Context, catalogue: Catalogue) -> dict[str, Bools]:
    table = items_table(context.workspace, context.params.shards)
    known = {row["item_id"]: row for row in table.rows(["item_id", *_COLUMNS])}
    slices: dict[str, Bools] = {}
    for column in _COLUMNS:
        values = [known.get(item_id, {}).get(column) for item_id in catalogue.item_ids]
        groups = group_values(values)
        slices |= {f"{column} {value}": is_in for value, is_in in groups.items()}
    return slices


def _user_groups(context: Context, histories: Histories) -> dict[str, Mapping[str, Bools]]:
    places = {user_id: place for place, user_id in enumerate(histories.user_ids)}
    columns: dict[str, list[Any]] = {}
    for row in users_table(context.workspace, context.params.shards).rows():
        place = places.get(row["user_id"])
        if place is None:
            continue
        for name, value in json.loads(row["attributes"] or "{}").items():
            columns.setdefault(name, [None] * len(places))[place] = value
    found = {name: group_values(_plain(values)) for name, values in sorted(columns.items())}
    return {name: groups for name, groups in found.items() if groups}


def _plain(values: list[Any]) -> list[Any]:
    """Values without those that are lists or mappings, which no group shares."""
    return [None if isinstance(value, list | dict) else value for value in values]
