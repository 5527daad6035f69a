"""Rows on disk in buckets by key hash: any table is compared and sorted in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from plmrec.digests import shard_of

_BUFFERED_ROWS: Final = 20_000
_BUCKET_BYTES: Final = 16 << 20
_MAX_BUCKETS: Final = 512  # files open at a time
BATCH_ROWS: Final = 200_000
BATCH_BYTES: Final = 64 << 20


def bucket_count(n_shards: int, size_bytes: int) -> int:
    """Buckets for a table: a multiple of its shards, of about 16 MB each."""
    per_shard = 1 + size_bytes // (_BUCKET_BYTES * n_shards)
    return n_shards * max(1, min(per_shard, _MAX_BUCKETS // n_shards))


class Spill:
    """Rows of one table on disk, in buckets by the hash of their key.

    All rows with one key lie in one bucket, in the order in which they came; a bucket lies in
    one shard.

    Args:
        folder: An empty or missing folder for the files.
        schema: Columns of the rows.
        n_shards: Shards of the table.
        n_buckets: A multiple of ``n_shards``.
    """

    def __init__(self, folder: Path, schema: pa.Schema, *, n_shards: int, n_buckets: int) -> None:
        self._folder = folder
        self._schema = schema
        self._n_shards = n_shards
        self._n_buckets = n_buckets
        self._rows: dict[int, list[tuple[Any, ...]]] = {}
        self._buffered = 0
        self._writers: dict[int, pa.RecordBatchStreamWriter] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, key: str | None, row: tuple[Any, ...]) -> None:
        """Add a row; a row without a key goes to the bucket of the empty key."""
        bucket = shard_of(key or "", self._n_buckets)
        self._rows.setdefault(bucket, []).append(row)
        self._buffered += 1
        if self._buffered >= _BUFFERED_ROWS:
            self._flush()

    def batches(self) -> Iterator[tuple[pa.Table, list[int]]]:
        """Close the files and read them back, whole buckets at a time, shard after shard.

        Yields:
            Rows, and the shards that are complete with them.
        """
        self._flush()
        for writer in self._writers.values():
            writer.close()
        parts: list[pa.Table] = []
        shards: list[int] = []
        for shard in range(self._n_shards):
            for bucket in range(shard, self._n_buckets, self._n_shards):
                parts.append(self._read(bucket))
                if _is_full(parts):
                    last = bucket + self._n_shards >= self._n_buckets
                    yield pa.concat_tables(parts), [*shards, shard] if last else shards
                    parts, shards = [], []
                    if last:
                        break
            else:
                shards.append(shard)
        if parts or shards:
            yield pa.concat_tables([self._schema.empty_table(), *parts]), shards

    def _flush(self) -> None:
        for bucket, rows in self._rows.items():
            if bucket not in self._writers:
                self._writers[bucket] = pa.ipc.new_stream(self._path(bucket), self._schema)
            columns = [
                pa.array(values, type=field.type)
                for values, field in zip(zip(*rows, strict=True), self._schema, strict=True)
            ]
            self._writers[bucket].write_batch(
                pa.RecordBatch.from_arrays(columns, schema=self._schema)
            )
        self._rows = {}
        self._buffered = 0

    def _read(self, bucket: int) -> pa.Table:
        if bucket not in self._writers:
            return self._schema.empty_table()
        with pa.OSFile(self._path(bucket), "rb") as source:
            return pa.ipc.open_stream(source).read_all()

    def _path(self, bucket: int) -> str:
        return str(self._folder / f"bucket-{bucket:04d}.arrow")


def _is_full(parts: list[pa.Table]) -> bool:
    n_rows: int = sum(part.num_rows for part in parts)
    n_bytes: int = sum(part.nbytes for part in parts)
    return n_rows >= BATCH_ROWS or n_bytes >= BATCH_BYTES
