"""Rows in buckets on disk."""

from __future__ import annotations

import pyarrow as pa
import pytest

from plmrec.digests import shard_of
from plmrec.stages import spill
from plmrec.stages.spill import Spill, bucket_count

SCHEMA = pa.schema([("key", pa.string()), ("number", pa.int64())])


@pytest.mark.parametrize("n_buckets", [3, 12])
@pytest.mark.parametrize("batch_rows", [1, 40, 10_000])
def test_all_rows_come_back_keys_together_and_shards_in_turn(
    tmp_path, monkeypatch, n_buckets, batch_rows
):
    monkeypatch.setattr(spill, "BATCH_ROWS", batch_rows)
    monkeypatch.setattr(spill, "_BUFFERED_ROWS", 64)
    rows = Spill(tmp_path / "spill", SCHEMA, n_shards=3, n_buckets=n_buckets)
    for number in range(500):
        rows.add(f"k{number % 50}", (f"k{number % 50}", number))
    place: dict[str, int] = {}
    numbers: list[int] = []
    complete: list[int] = []
    for part, (batch, shards) in enumerate(rows.batches()):
        for row in batch.to_pylist():
            assert place.setdefault(row["key"], part) == part  # a key lies in one batch
            assert shard_of(row["key"], 3) not in complete  # a complete shard gets no more rows
            numbers.append(row["number"])
        complete += shards
    assert sorted(numbers) == list(range(500))
    assert complete == [0, 1, 2]


def test_rows_of_a_key_keep_the_order_in_which_they_came(tmp_path):
    rows = Spill(tmp_path / "spill", SCHEMA, n_shards=2, n_buckets=4)
    for number in range(100):
        rows.add("a", ("a", number))
    [(batch, _)] = list(rows.batches())
    assert batch["number"].to_pylist() == list(range(100))


def test_without_rows_all_shards_are_complete(tmp_path):
    [(batch, shards)] = list(Spill(tmp_path / "s", SCHEMA, n_shards=2, n_buckets=2).batches())
    assert (batch.num_rows, shards) == (0, [0, 1])


def test_buckets_grow_with_the_file_and_stay_a_multiple_of_the_shards():
    assert bucket_count(4, 1000) == 4
    assert bucket_count(4, 1 << 30) == 4 * 17
    assert bucket_count(4, 1 << 50) == 512
    assert bucket_count(512, 1 << 50) == 512
