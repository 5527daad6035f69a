"""The files of a raw dataset: which there are, and their records whatever their format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from plmrec.errors import DataContractError
from plmrec.stages.raw_csv import read_csv
from plmrec.stages.raw_records import Record, cut_raw, numbered_lines, open_binary, raw_json

REQUIRED: Final = {
    "items": ("item_id", "kind", "title"),
    "interactions": ("user_id", "item_id", "event"),
    "users": ("user_id",),
}
_FORMATS: Final = ("jsonl", "csv", "parquet", "jsonl.gz", "csv.gz")
_PARQUET_ROWS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFile:
    """One table of a raw dataset as a file: its name says table and format."""

    table: str
    path: Path

    def records(self) -> Iterator[Record]:
        """Iterate over the records, good and unreadable, in bounded memory.

        Raises:
            DataContractError: The file as a whole cannot be read.
        """
        names = self.path.name.split(".")
        read = {"jsonl": _read_jsonl, "csv": read_csv, "parquet": _read_parquet}[names[1]]
        try:
            yield from read(self.path)
        except (OSError, EOFError, pa.ArrowException) as err:
            raise DataContractError(
                f"{self.path.name}: cannot be read as {names[1]}: {err}"
            ) from err

    @property
    def size_bytes(self) -> int:
        """Bytes of the unpacked file, roughly."""
        packed = self.path.suffix in {".gz", ".parquet"}
        return self.path.stat().st_size * (6 if packed else 1)


def find_raw_files(root: Path) -> dict[str, RawFile]:
    """Find the table files of a dataset folder.

    Returns:
        Table name to file, for ``items``, ``interactions`` and, where there is one, ``users``.

    Raises:
        DataContractError: There is no such folder, a table is missing or there twice.
    """
    if not root.is_dir():
        raise DataContractError(
            f"dataset: expected a folder, got {root}", hint="Name a folder that holds items.jsonl"
        )
    found: dict[str, RawFile] = {}
    for table in REQUIRED:
        paths = [root / f"{table}.{suffix}" for suffix in _FORMATS]
        paths = [path for path in paths if path.is_file()]
        if len(paths) > 1:
            raise DataContractError(
                f"{root.name}: expected one file for {table}, got "
                f"{' and '.join(path.name for path in paths)}",
                hint="Keep one of them",
            )
        if paths:
            found[table] = RawFile(table=table, path=paths[0])
        elif table != "users":
            raise DataContractError(
                f"{root.name}: expected {table}.jsonl, {table}.csv or {table}.parquet with the "
                f"columns {', '.join(REQUIRED[table])}; found no such file"
            )
    return found


def _read_jsonl(path: Path) -> Iterator[Record]:
    with open_binary(path) as stream:
        for number, line, complete in numbered_lines(stream):
            if line.strip():
                yield _json_record(number, line, complete)


def _json_record(number: int, line: bytes, complete: bool) -> Record:
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError as err:
        raw = cut_raw(line.decode("utf-8", "backslashreplace").strip())
        detail = f"row: expected UTF-8, got byte 0x{line[err.start]:02x} in it"
        reason = "broken_utf8" if complete else "not_json"
        return Record(number=number, reason=reason, detail=detail, raw=raw)
    raw = cut_raw(text)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as err:
        detail = f"row: expected a JSON object, got an error: {err}"
        return Record(number=number, reason="not_json", detail=detail, raw=raw)
    if not isinstance(values, dict):
        detail = f"row: expected a JSON object, got {type(values).__name__}"
        return Record(number=number, reason="not_json", detail=detail, raw=raw)
    if "\\ud" in text.lower() and not _is_encodable(values):
        detail = "row: expected Unicode text, got half of a surrogate pair"
        return Record(number=number, reason="broken_utf8", detail=detail, raw=raw)
    return Record(number=number, values=values, raw=raw)


def _is_encodable(values: dict[str, Any]) -> bool:
    try:
        json.dumps(values, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _read_parquet(path: Path) -> Iterator[Record]:
    number = 0
    for batch in pq.ParquetFile(path).iter_batches(batch_size=_PARQUET_ROWS):
        for values in pa.Table.from_batches([_plain_types(batch)]).to_pylist():
            number += 1
            yield _parquet_record(number, values)


def _plain_types(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Strings as bytes, so that one broken one does not spoil the batch; times in microseconds."""
    columns = []
    for column, field in zip(batch.columns, batch.schema, strict=True):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            columns.append(column.cast(kind).cast(pa.large_binary()))
        elif pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
            columns.append(column.cast(pa.list_(pa.large_binary())))
        elif pa.types.is_timestamp(kind):
            columns.append(column.cast(pa.timestamp("us", tz=kind.tz), safe=False))
        else:
            columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _parquet_record(number: int, values: dict[str, Any]) -> Record:
    try:
        values = {name: _decoded(value, "strict") for name, value in values.items()}
    except UnicodeDecodeError as err:
        raw = raw_json(
            {name: _decoded(value, "backslashreplace") for name, value in values.items()}
        )
        detail = f"row: expected UTF-8, got other bytes: {err.reason}"
        return Record(number=number, reason="broken_utf8", detail=detail, raw=raw)
    return Record(number=number, values=values, raw=raw_json(values))


def _decoded(value: Any, errors: str) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors)
    if isinstance(value, list):
        return [_decoded(part, errors) for part in value]
    return value
