"""Reading CSV record by record: quoted newlines, broken rows and broken UTF-8 included."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from plmrec.errors import DataContractError
from plmrec.stages.raw_records import (
    MAX_RECORD_BYTES,
    Record,
    cut_raw,
    numbered_lines,
    open_binary,
    raw_json,
)

_BROKEN: Final = "surrogateescape"


class _Unreadable(Exception):
    """The record that is being read has no end, or is too long."""


class _Lines:
    """Lines for csv.reader, which remember what the current record consists of.

    csv.reader asks for a second line of a record only inside quotes. So the end of the file
    there means a quote that was never closed: its lines are put back and read as records of
    their own, all but the first.
    """

    def __init__(self, source: Iterator[tuple[int, bytes, bool]]) -> None:
        self._source = source
        self._waiting: deque[tuple[int, bytes, bool]] = deque()
        self.taken: list[tuple[int, bytes, bool]] = []
        self._size = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        try:
            line = self._waiting.popleft() if self._waiting else next(self._source)
        except StopIteration:
            if self.taken:
                raise _Unreadable("a quote that is opened is never closed") from None
            raise
        self.taken.append(line)
        self._size += len(line[1])
        if not line[2] or self._size > MAX_RECORD_BYTES:
            raise _Unreadable(f"a record of at most {MAX_RECORD_BYTES:,} bytes is expected")
        try:
            return line[1].decode("utf-8")
        except UnicodeDecodeError:
            return line[1].decode("utf-8", _BROKEN)

    def start_record(self) -> None:
        """Forget the lines of the record before."""
        self.taken = []
        self._size = 0

    def give_back(self) -> tuple[int, bytes, bool]:
        """Put all lines of the record back but the first, and return that one."""
        first, *rest = self.taken
        self._waiting.extendleft(reversed(rest))
        return first


def read_csv(path: Path) -> Iterator[Record]:
    """Iterate over the records of a CSV file with a header, in bounded memory.

    Raises:
        DataContractError: The header cannot be read or names a column twice.
    """
    with open_binary(path) as stream:
        lines = _Lines(numbered_lines(stream))
        csv.field_size_limit(MAX_RECORD_BYTES)
        reader = csv.reader(lines, strict=True)  # or an open quote would swallow good rows
        header = _header(path, reader)
        if header is None:
            return
        while True:
            lines.start_record()
            try:
                row = next(reader)
            except StopIteration:
                return
            except (_Unreadable, csv.Error) as err:
                number, data, _ = lines.give_back()
                raw = cut_raw(data[:MAX_RECORD_BYTES].decode("utf-8", "backslashreplace"))
                yield Record(number=number, reason="not_csv", detail=f"row: {err}", raw=raw)
                continue
            if row:
                yield _record(lines.taken, header, row)


def _header(path: Path, reader: Iterator[list[str]]) -> list[str] | None:
    try:
        names = [name.strip() for name in next(reader, [])]
    except (_Unreadable, csv.Error) as err:
        raise DataContractError(f"{path.name}: cannot read the header: {err}") from err
    if not any(names):
        return None
    if any("\udc80" <= char <= "\udcff" for name in names for char in name):
        raise DataContractError(
            f"{path.name}: expected UTF-8, got other bytes in the header",
            hint="Convert the file to UTF-8",
        )
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise DataContractError(f"{path.name}: expected each column once, got doubles: {doubles}")
    return names


def _record(taken: list[tuple[int, bytes, bool]], header: list[str], row: list[str]) -> Record:
    number = taken[0][0]
    joined = b"".join(data for _, data, _ in taken) if len(taken) > 1 else taken[0][1]
    if not joined.isascii():
        try:
            joined.decode("utf-8")
        except UnicodeDecodeError as err:
            raw = cut_raw(joined.decode("utf-8", "backslashreplace").rstrip("\r\n"))
            detail = f"row: expected UTF-8, got byte 0x{joined[err.start]:02x} in it"
            return Record(number=number, reason="broken_utf8", detail=detail, raw=raw)
    if len(row) != len(header):
        detail = f"row: expected {len(header)} columns, got {len(row)}"
        return Record(number=number, reason="wrong_column_count", detail=detail, raw=raw_json(row))
    values = dict(zip(header, row, strict=True))
    return Record(number=number, values=values, raw=raw_json(values))
