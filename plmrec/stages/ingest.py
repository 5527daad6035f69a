"""One raw file, read and normalised into buckets on disk; what cannot be read is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from plmrec.errors import DataContractError
from plmrec.stages.normalise import KEYS, NORMALISERS, SCHEMAS
from plmrec.stages.raw_files import REQUIRED, RawFile
from plmrec.stages.refusals import Refusals
from plmrec.stages.spill import Spill, bucket_count

OnRows = Callable[[str, int], None]
_REPORT_EVERY: Final = 5_000


@dataclass(slots=True, kw_only=True)
class Ingested:
    """A raw table in buckets.

    Attributes:
        spill: The rows.
        n_in: Records in the file, unreadable ones included.
        columns: Columns that at least one record has.
        has_times: Some row has a timestamp.
    """

    spill: Spill
    n_in: int = 0
    columns: set[str] = field(default_factory=set)
    has_times: bool = False


def ingest(
    raw: RawFile,
    folder: Path,
    *,
    refusals: Refusals,
    n_shards: int,
    max_text_chars: int,
    on_rows: OnRows | None = None,
) -> Ingested:
    """Read one raw file to its end.

    Args:
        raw: The file.
        folder: Where the buckets go.
        refusals: Where unreadable records go.
        n_shards: Shards of the table.
        max_text_chars: Longer texts are not cleaned, as they will be refused.
        on_rows: Told the table and how many rows were read since the last time.

    Raises:
        DataContractError: The file as a whole cannot be read, or lacks a required column.
    """
    schema = SCHEMAS[raw.table]
    buckets = bucket_count(n_shards, raw.size_bytes)
    spill = Spill(folder, schema, n_shards=n_shards, n_buckets=buckets)
    result = Ingested(spill=spill)
    normalise = NORMALISERS[raw.table]
    key = schema.names.index(KEYS[raw.table])
    time = schema.names.index("timestamp") if "timestamp" in schema.names else None
    for record in raw.records():
        result.n_in += 1
        if record.values is None:
            refusals.add(
                raw.table,
                key="",
                reason=record.reason,
                detail=record.detail,
                origin=f"{raw.path.name}:{record.number}",
                raw=record.raw,
            )
        else:
            result.columns.update(record.values)
            row = normalise(record, max_text_chars)
            result.has_times |= time is not None and row[time] is not None
            spill.add(row[key], row)
        if on_rows is not None and result.n_in % _REPORT_EVERY == 0:
            on_rows(raw.table, _REPORT_EVERY)
    if on_rows is not None:
        on_rows(raw.table, result.n_in % _REPORT_EVERY)
    _check_columns(raw, result.columns)
    return result


def _check_columns(raw: RawFile, columns: set[str]) -> None:
    missing = [name for name in REQUIRED[raw.table] if name not in columns]
    if columns and missing:
        raise DataContractError(
            f"{raw.path.name}: expected the columns {', '.join(REQUIRED[raw.table])}; "
            f"missing: {', '.join(missing)}; found: {', '.join(sorted(columns)[:20])}"
        )
