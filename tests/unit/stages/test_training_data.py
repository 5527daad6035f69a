from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from plmrec.digests import shard_of
from plmrec.errors import DataContractError, MissingStageError
from plmrec.params import FeedbackParams
from plmrec.stages.training_data import join_users, load_training_data
from plmrec.stores.tables import interactions_table, item_vectors_table, items_table
from plmrec.stores.workspace import ShardedTable, Workspace
from tests.support.tastes import make_histories

SHARDS = 3
NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


def write(table: ShardedTable, rows: list[dict[str, Any]]) -> None:
    full = [dict.fromkeys(table.schema.names) | row for row in rows]
    for number, shard in enumerate(table.shards):
        mine = [row for row in full if shard_of(row[table.key], SHARDS) == number]
        table.write(shard, pa.Table.from_pylist(mine, schema=table.schema))


def rate(user: str, item: str, value: float, time: datetime | None = NOON) -> dict[str, Any]:
    return {
        "user_id": user,
        "item_id": item,
        "event": "rating",
        "value": value,
        "timestamp": time,
    }


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    found = Workspace(str(tmp_path))
    write(
        items_table(found, SHARDS),
        [
            {"item_id": "b", "genres": ["x"], "duration_s": 90.0, "published_at": NOON},
            {"item_id": "a"},
            {"item_id": "c"},
        ],
    )
    write(
        interactions_table(found, SHARDS),
        [
            rate("zoe", "a", 5.0),
            rate("zoe", "b", 1.0, None),
            rate("ann", "c", 4.0),
            rate("ann", "gone", 4.0),
            {"user_id": "idle", "item_id": "a", "event": "impression", "timestamp": NOON},
        ],
    )
    write(
        item_vectors_table(found, SHARDS, "f"),
        [
            {"item_id": "c", "vector": [0.0, 1.0]},
            {"item_id": "a", "vector": [1.0, 0.0]},
            {"item_id": "gone", "vector": [1.0, 0.0]},
        ],
    )
    return found


def load(workspace: Workspace):
    return load_training_data(
        items=items_table(workspace, SHARDS),
        interactions=interactions_table(workspace, SHARDS),
        vectors=item_vectors_table(workspace, SHARDS, "f"),
        feedback=FeedbackParams(),
    )


def test_items_and_users_are_sorted_by_id_whatever_their_shards(workspace: Workspace):
    data = load(workspace)
    assert data.catalogue.item_ids == ("a", "b", "c")
    assert data.histories.user_ids == ("ann", "zoe")
    assert data.histories.matrix().toarray().tolist() == [[0, 0, 1], [1, -1, 0]]


def test_times_become_seconds_and_unknown_ones_nan(workspace: Workspace):
    data = load(workspace)
    assert data.now == NOON.timestamp()
    assert np.isnan(data.histories.times[data.histories.weights < 0]).all()
    assert data.catalogue.published_at[1] == NOON.timestamp()
    assert np.isnan(data.catalogue.published_at[0])


def test_items_without_a_vector_have_a_row_of_zeros(workspace: Workspace):
    assert load(workspace).catalogue.vectors.tolist() == [[1, 0], [0, 0], [0, 1]]


def test_features_lie_at_their_items(workspace: Workspace):
    catalogue = load(workspace).catalogue
    assert catalogue.genres == ((), ("x",), ())
    assert catalogue.duration_s[1] == 90.0


def test_the_number_of_shards_changes_nothing(workspace: Workspace, tmp_path):
    one = Workspace(str(tmp_path / "other"))
    for open_table in (items_table, interactions_table):
        table = open_table(one, 1)
        table.write("part-000", open_table(workspace, SHARDS).read_all())
    table = item_vectors_table(one, 1, "f")
    table.write("part-000", item_vectors_table(workspace, SHARDS, "f").read_all())
    again = load_training_data(
        items=items_table(one, 1),
        interactions=interactions_table(one, 1),
        vectors=item_vectors_table(one, 1, "f"),
        feedback=FeedbackParams(),
    )
    assert again.digest() == load(workspace).digest()


def test_says_which_stage_is_missing(tmp_path):
    with pytest.raises(MissingStageError):
        load(Workspace(str(tmp_path)))


def test_refuses_vectors_of_two_widths(workspace: Workspace):
    write(
        item_vectors_table(workspace, SHARDS, "f"),
        [{"item_id": "a", "vector": [1.0]}, {"item_id": "c", "vector": [0.0, 1.0]}],
    )
    with pytest.raises(DataContractError, match="width"):
        load(workspace)


def test_refuses_a_user_in_two_shards():
    one = make_histories([[(0, 1.0, 1.0)]], 1)
    with pytest.raises(DataContractError, match="two"):
        join_users([one, one], 1)


def test_watch_shares_are_joined_and_unknown_where_a_part_has_none():
    one = make_histories([[(0, 1.0, 1.0), (1, 1.0, 2.0)]], 2)
    one = dataclasses.replace(one, user_ids=("b",), watch_shares=np.array([0.5, 0.25]))
    two = dataclasses.replace(make_histories([[(1, 1.0, 1.0)]], 2), user_ids=("a",))
    joined = join_users([one, two], 2)
    assert joined.user_ids == ("a", "b")
    np.testing.assert_array_equal(joined.watch_shares, [np.nan, 0.5, 0.25])
    assert join_users([two], 2).watch_shares is None
