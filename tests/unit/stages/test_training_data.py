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
from plmrec.stages.training_data import (
    comment_sentiments,
    join_users,
    load_catalogue,
    load_training_data,
)
from plmrec.stores.tables import (
    interactions_table,
    item_vectors_table,
    items_table,
    meanings_table,
)
from plmrec.stores.workspace import ShardedTable, Workspace
from tests.support.tagged import (
    FINGERPRINT,
    N_SHARDS,
    fill,
    meanings,
    taxonomy,
    write_tagged,
)
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


class TestTags:
    def catalogue(self, path, **changes):
        workspace = write_tagged(str(path))
        meanings = meanings_table(workspace, N_SHARDS, FINGERPRINT)
        for name, rows in changes.items():
            assert name == "meanings"
            fill(meanings, rows)
        items = items_table(workspace, N_SHARDS)
        return load_catalogue(items, None, (taxonomy(), meanings))

    def test_strengths_lie_at_their_items_and_tags(self, tmp_path):
        catalogue = self.catalogue(tmp_path)
        assert catalogue.item_ids == ("loaf", "pawn", "rook", "sea", "song")
        assert catalogue.tags.names[0] == "Whales"
        expected = [[0, 0.8, 0, 0], [0, 0, 0.7, 0], [0] * 4, [0.9, 0, 0, 0], [0.6, 0.2, 0, 0]]
        np.testing.assert_allclose(catalogue.tags.strengths.toarray(), expected, atol=1e-6)

    def test_items_and_tags_that_are_gone_are_left_out(self, tmp_path):
        gone = {"tag_id": "mined:gone", "strength": 1.0, "similarity": 1.0, "is_label": False}
        here = {"tag_id": "mined:chess", "strength": 0.4, "similarity": 0.4, "is_label": True}
        rows = [
            {"item_id": "nowhere", "tags": [here]},
            {"item_id": "sea", "tags": [gone, here]},
            {"item_id": "loaf", "tags": []},
            {"item_id": "song", "tags": None},
        ]
        tags = self.catalogue(tmp_path, meanings=rows).tags
        assert tags.strengths.nnz == 1
        assert tags.strengths[3, 2] == pytest.approx(0.4)

    def test_another_strength_is_another_catalogue(self, tmp_path):
        rows = meanings()
        digest = self.catalogue(tmp_path).digest()
        assert self.catalogue(tmp_path, meanings=rows).digest() == digest
        rows[0]["tags"][0]["strength"] = 0.1
        assert self.catalogue(tmp_path, meanings=rows).digest() != digest


def test_each_text_of_a_comment_is_judged_once_and_nothing_else_is():
    asked = []

    def feel(texts):
        asked.extend(texts)
        return np.array([0.5 if text == "good" else np.nan for text in texts])

    rows = pa.table(
        {
            "event": ["comment", "like", "comment", "comment", "comment"],
            "text": ["good", "a note", None, "good", "hm"],
        }
    )
    found = comment_sentiments(rows, feel)
    assert sorted(asked) == ["good", "hm"]
    np.testing.assert_array_equal(found, [0.5, np.nan, np.nan, 0.5, np.nan])
    assert comment_sentiments(rows.slice(1, 1), feel) is None
