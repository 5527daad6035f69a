"""The workspace: sharded Parquet tables and small JSON files under one folder or URL.

Every write goes to a temporary name and is then renamed, so that a killed process leaves
either the old file or the new one, never half of one.
"""

from __future__ import annotations

import json
import posixpath
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from plmrec.digests import digest_rows
from plmrec.errors import DataContractError, MissingStageError


class Workspace:
    """Files of one workspace, by paths relative to its root.

    Args:
        url: A local folder or any fsspec URL such as ``s3://bucket/prefix``.
    """

    def __init__(self, url: str) -> None:
        self._fs, root = fsspec.core.url_to_fs(url)
        self.is_local = "file" in self._fs.protocol
        self.root = str(Path(root).resolve()) if self.is_local else root.rstrip("/")

    def path(self, *parts: str) -> str:
        """Full path of a file for this workspace's file system."""
        return posixpath.join(self.root, *parts)

    def local(self, *parts: str) -> Path:
        """Path of a file that a local program must open by name.

        Raises:
            DataContractError: The workspace is not on a local disk.
        """
        if not self.is_local:
            raise DataContractError(f"workspace: expected a local folder, got {self.root}")
        return Path(self.path(*parts))

    def exists(self, *parts: str) -> bool:
        """Tell whether a file or folder is there."""
        return bool(self._fs.exists(self.path(*parts)))

    def list(self, *parts: str) -> list[str]:
        """Names in a folder, sorted; empty when there is no such folder."""
        folder = self.path(*parts)
        if not self._fs.exists(folder):
            return []
        found = self._fs.ls(folder, detail=False)
        return sorted(posixpath.basename(str(name).rstrip("/")) for name in found)

    def usage(self, *parts: str) -> tuple[int, datetime | None]:
        """Bytes of all files below a folder, and when the newest was written, if that is known."""
        if not self.exists(*parts):
            return 0, None
        files = self._fs.find(self.path(*parts), detail=True).values()
        times = [file.get("mtime") or file.get("LastModified") for file in files]
        known = [
            time if isinstance(time, datetime) else datetime.fromtimestamp(time, tz=timezone.utc)
            for time in times
            if time
        ]
        return sum(int(file["size"] or 0) for file in files), max(known, default=None)

    def remove(self, *parts: str) -> None:
        """Remove a file or folder; nothing happens when it is not there."""
        if self.exists(*parts):
            self._fs.rm(self.path(*parts), recursive=True)

    def write_bytes(self, data: bytes, *parts: str) -> None:
        """Write a file as a whole or not at all."""
        target = self.path(*parts)
        folder, name = posixpath.split(target)
        self._fs.makedirs(folder, exist_ok=True)
        if not self.is_local:  # an object store shows an object only once it is complete
            self._fs.pipe_file(target, data)
            return
        temporary = posixpath.join(folder, f".{name}.{uuid.uuid4().hex}.tmp")
        Path(temporary).write_bytes(data)
        Path(temporary).replace(target)

    def read_bytes(self, *parts: str) -> bytes:
        """Read a whole file.

        Raises:
            MissingStageError: It is not there.
        """
        try:
            return bytes(self._fs.cat_file(self.path(*parts)))
        except FileNotFoundError as err:
            raise MissingStageError(
                f"workspace: expected {'/'.join(parts)} in {self.root}, found no such file",
                hint="Run the stage that writes it first",
            ) from err

    def open(self, *parts: str) -> BinaryIO:
        """Open a file for reading, seekable; the caller closes it.

        Raises:
            MissingStageError: It is not there.
        """
        try:
            return cast(BinaryIO, self._fs.open(self.path(*parts), "rb"))
        except FileNotFoundError as err:
            raise MissingStageError(
                f"workspace: expected {'/'.join(parts)} in {self.root}, found no such file",
                hint="Run the stage that writes it first",
            ) from err

    def write_json(self, value: Any, *parts: str) -> None:
        """Write a JSON value, indented and with sorted keys."""
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        self.write_bytes((text + "\n").encode(), *parts)

    def read_json(self, *parts: str) -> Any:
        """Read a JSON file.

        Raises:
            MissingStageError: It is not there.
        """
        return json.loads(self.read_bytes(*parts))

    def table(self, name: str, *, key: str, schema: pa.Schema, n_shards: int) -> ShardedTable:
        """Open a sharded table; nothing is created before the first write."""
        return ShardedTable(workspace=self, name=name, key=key, schema=schema, n_shards=n_shards)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardedTable:
    """A table cut into a fixed number of Parquet files by a stable hash of its key.

    Attributes:
        workspace: Where it lives.
        name: Folder of the table, such as ``transcripts`` or ``embeddings/<fingerprint>/items``.
        key: Column whose hash chooses the shard.
        schema: Column names and types; every shard has exactly these.
        n_shards: Number of files, the same for all tables of a workspace.
    """

    workspace: Workspace
    name: str
    key: str
    schema: pa.Schema
    n_shards: int

    @property
    def shards(self) -> list[str]:
        """Names of all shards, written or not: ``part-000`` and so on."""
        return [f"part-{number:03d}" for number in range(self.n_shards)]

    def exists(self, shard: str) -> bool:
        """Tell whether a shard was written."""
        return self.workspace.exists(self.name, f"{shard}.parquet")

    @property
    def is_complete(self) -> bool:
        """True when every shard was written."""
        return all(self.exists(shard) for shard in self.shards)

    def write(self, shard: str, rows: pa.Table | Sequence[Mapping[str, Any]]) -> None:
        """Replace a shard, rows in the order given.

        Args:
            shard: One of ``shards``.
            rows: A table with this schema, or dicts with its columns.

        Raises:
            DataContractError: A row does not fit the schema.
        """
        try:
            table = (
                rows.select(self.schema.names).cast(self.schema)
                if isinstance(rows, pa.Table)
                else pa.Table.from_pylist([dict(row) for row in rows], schema=self.schema)
            )
        except (pa.ArrowInvalid, pa.ArrowTypeError, KeyError) as err:
            raise DataContractError(
                f"{self.name}/{shard}: rows do not fit the table: {err}"
            ) from err
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self.workspace.write_bytes(sink.getvalue().to_pybytes(), self.name, f"{shard}.parquet")

    def read(self, shard: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a shard; one that was not written yet reads as empty."""
        if not self.exists(shard):
            empty = self.schema.empty_table()
            return empty.select(list(columns)) if columns is not None else empty
        data = self.workspace.read_bytes(self.name, f"{shard}.parquet")
        # One thread: a pool still at work when a short command ends aborts the interpreter.
        file = pq.ParquetFile(pa.BufferReader(data), pre_buffer=False)
        return file.read(list(columns) if columns else None, use_threads=False)

    def read_all(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the whole table, shards in order.

        Raises:
            MissingStageError: No shard was written.
        """
        if not any(self.exists(shard) for shard in self.shards):
            raise MissingStageError(
                f"workspace: expected table {self.name} in {self.workspace.root}, found none",
                hint="Run the stage that writes it first",
            )
        return pa.concat_tables([self.read(shard, columns) for shard in self.shards])

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Iterate over all rows as dicts, one shard in memory at a time."""
        for shard in self.shards:
            yield from self.read(shard, columns).to_pylist()

    def digest(self) -> str:
        """Digest of the table: its keys and the ``digest`` column of each row."""
        return digest_rows(
            (str(row[self.key]), str(row["digest"])) for row in self.rows([self.key, "digest"])
        )
