from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from plmrec.app.context import open_context
from plmrec.app.groups import load_groups
from plmrec.digests import shard_of
from plmrec.histories import Catalogue, Histories
from plmrec.params import Params
from plmrec.stores.tables import items_table, users_table


def fill(table, rows):
    """Write rows, each in the shard it belongs to; columns that a row lacks are null."""
    for number, shard in enumerate(table.shards):
        own = [row for row in rows if shard_of(row[table.key], table.n_shards) == number]
        table.write(shard, pa.Table.from_pylist(own, schema=table.schema))


def test_items_and_users_are_grouped_in_the_order_of_the_arrays(tmp_settings):
    context = open_context(tmp_settings, Params())
    items = [("a", "video", "en"), ("b", "ad", None), ("c", "video", "en")]
    fill(
        items_table(context.workspace, 4),
        [{"item_id": i, "kind": kind, "language": language} for i, kind, language in items],
    )
    users = {"u1": {"sex": "f", "tags": ["x"]}, "u2": {"sex": "m"}, "unseen": {"sex": "d"}}
    fill(
        users_table(context.workspace, 4),
        [{"user_id": name, "attributes": json.dumps(known)} for name, known in users.items()],
    )
    groups = load_groups(
        context, Catalogue(item_ids=("c", "b", "a")), Histories.empty(("u2", "u1", "u3"), 3)
    )
    assert {name: is_in.tolist() for name, is_in in groups.items.items()} == {
        "kind ad": [False, True, False],
        "kind video": [True, False, True],
        "language en": [True, False, True],
        "language unknown": [False, True, False],
    }
    assert list(groups.users) == ["sex"]
    np.testing.assert_array_equal(groups.users["sex"]["m"], [True, False, False])
    np.testing.assert_array_equal(groups.users["sex"]["unknown"], [False, False, True])


def test_a_dataset_that_tells_nothing_of_its_users_has_no_groups_of_them(tmp_settings):
    context = open_context(tmp_settings, Params())
    fill(items_table(context.workspace, 4), [{"item_id": "a", "kind": "video"}])
    groups = load_groups(context, Catalogue(item_ids=("a",)), Histories.empty(("u",), 1))
    assert groups.users == {}
    assert groups.items == {}
