"""Lists for many users as one csv or parquet file, written block by block, whole or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from plmrec.errors import ParamsError

SCHEMA: Final = pa.schema(
    [
        ("user_id", pa.string()),
        ("rank", pa.int32()),  # from 1
        ("item_id", pa.string()),
        ("score", pa.float32()),
        ("source", pa.string()),
        ("release", pa.string()),
    ]
)
_WRITERS: Final[dict[str, Any]] = {".csv": pa.csv.CSVWriter, ".parquet": pq.ParquetWriter}


def check_suffix(path: Path) -> None:
    """Refuse a file name whose suffix names no known format.

    Raises:
        ParamsError: It is neither ``.csv`` nor ``.parquet``.
    """
    if path.suffix.lower() not in _WRITERS:
        raise ParamsError(
            f"recommend: expected an output file that ends in {' or '.join(_WRITERS)}, "
            f"got {path.name}"
        )


def write_lists(path: Path, blocks: Iterable[pa.Table]) -> int:
    """Write blocks of rows with ``SCHEMA`` to a file, one block in memory at a time.

    Args:
        path: File to replace; its suffix chooses the format. Missing folders are created.
        blocks: In the order of the file.

    Returns:
        Number of rows.

    Raises:
        ParamsError: The suffix names no known format, or the file cannot be written.
    """
    check_suffix(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            n_rows = _write_blocks(temporary, path.suffix.lower(), blocks)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as err:
        raise ParamsError(f"recommend: cannot write {path}: {err.strerror or err}") from err
    return n_rows


def _write_blocks(path: Path, suffix: str, blocks: Iterable[pa.Table]) -> int:
    n_rows = 0
    with _WRITERS[suffix](str(path), SCHEMA) as writer:
        for block in blocks:
            writer.write_table(block)
            n_rows += block.num_rows
    return n_rows
