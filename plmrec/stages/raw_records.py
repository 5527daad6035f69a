"""What the readers of raw files hand on: one record, good or refused, with its origin."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

MAX_RECORD_BYTES: Final = 32 << 20  # a record, or one line of it, is never longer in memory
MAX_RAW_CHARS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of a raw file.

    Attributes:
        number: Line of the file where the record starts, from 1; for Parquet the row, from 1.
        values: Column to value; None when the record could not be read.
        reason: Reason code when it could not be read, else empty.
        detail: What was expected and what was found, when it could not be read.
        raw: The record as it came, as JSON, cut at ``MAX_RAW_CHARS``.
    """

    number: int
    values: dict[str, Any] | None = None
    reason: str = ""
    detail: str = ""
    raw: str = ""


def open_binary(path: Path) -> IO[bytes]:
    """Open a raw file, unpacking ``.gz`` on the way."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def numbered_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Iterate over (line number, bytes, complete), in bounded memory.

    A line longer than ``MAX_RECORD_BYTES`` is given once, cut, as not complete. A byte order
    mark at the start is dropped.
    """
    number = 0
    while line := stream.readline(MAX_RECORD_BYTES):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        complete = line.endswith(b"\n") or len(line) < MAX_RECORD_BYTES
        rest = line
        while not complete and rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_RECORD_BYTES)
        yield number, line, complete


def raw_json(values: Any) -> str:
    """The record as JSON for the quarantine; long ones are cut, and say so."""
    return cut_raw(json.dumps(values, ensure_ascii=False, default=str))


def cut_raw(text: str) -> str:
    """Cut a raw record to the length that the quarantine keeps."""
    if len(text) <= MAX_RAW_CHARS:
        return text
    return f"{text[:MAX_RAW_CHARS]}… ({len(text):,} characters in all)"
