"""The tables of one generation: created, loaded with COPY, indexed with HNSW."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql

from plmrec.errors import DataContractError, ParamsError
from plmrec.params import IndexParams
from plmrec.stores.database import Connection
from plmrec.stores.generations import Generation, set_local

log = logging.getLogger(__name__)

MAX_DIM: Final = 2000  # pgvector indexes no longer vectors of type vector
_INLINE_DIM: Final = 1900  # a longer vector does not fit into a page of 8 kB
_MIB: Final = 1 << 20
_MEMORY_MIB: Final = (64, 2048)  # bounds of the memory asked for an index build

ITEM_COLUMNS: Final = {
    "item_id": "text",
    "kind": "text",
    "title": "text",
    "language": "text",
    "genres": "text[]",
    "creators": "text[]",
    "published_at": "timestamptz",
    "media": "text",
    "media_digest": "text",
    "item_digest": "text",
    "transcript_status": "text",
    "transcript_backend": "text",
    "transcript_digest": "text",
    "document_digest": "text",
    "vector_digest": "text",
    "n_passages": "integer",
    "embedding": "vector",
}
PASSAGE_COLUMNS: Final = {
    "item_id": "text",
    "passage_no": "integer",
    "text": "text",
    "start_s": "float8",
    "end_s": "float8",
    "embedding": "vector",
}


def create_tables(conn: Connection, generation: Generation) -> None:
    """Create both tables without keys and indexes, which are faster to build after the load.

    Raises:
        ParamsError: The encoder's vectors are longer than pgvector can index.
    """
    if generation.dim > MAX_DIM:
        raise ParamsError(
            f"refresh: expected vectors of at most {MAX_DIM} dimensions, got {generation.dim}",
            hint="Choose an encoder with shorter vectors",
        )
    storage = " STORAGE PLAIN" if generation.dim <= _INLINE_DIM else ""
    with step(conn):
        for table, columns in tables_of(generation):
            types = {**columns, "embedding": f"vector({generation.dim}){storage}"}
            body = ", ".join(f"{name} {kind}" for name, kind in types.items())
            conn.execute(sql.SQL("CREATE TABLE {} ({})").format(table, sql.SQL(body)))


def copy_items(conn: Connection, generation: Generation, rows: Iterable[Mapping[str, Any]]) -> int:
    """Load items, keyed like ITEM_COLUMNS; returns how many."""
    return _copy(conn, generation.items, ITEM_COLUMNS, rows)


def copy_passages(
    conn: Connection, generation: Generation, rows: Iterable[Mapping[str, Any]]
) -> int:
    """Load passages, keyed like PASSAGE_COLUMNS; returns how many."""
    return _copy(conn, generation.passages, PASSAGE_COLUMNS, rows)


def build_indexes(conn: Connection, generation: Generation, *, n_rows: int) -> None:
    """Add primary keys, then HNSW by inner product, which on unit vectors is the cosine.

    Args:
        conn: The connection of ``building``.
        generation: With ``m`` and ``ef_construction`` among its index_params.
        n_rows: Rows of its larger table; the memory asked for follows from it.

    Raises:
        DataContractError: Two rows have the same key.
    """
    keys = (sql.SQL("item_id"), sql.SQL("item_id, passage_no"))
    memory = _build_memory_mib(n_rows, generation.dim, generation.index_params["m"])
    workers = max(0, (os.cpu_count() or 1) - 1)
    for (table, _), key in zip(tables_of(generation), keys, strict=True):
        try:
            with step(conn):
                add = sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})")
                conn.execute(add.format(table, key))
        except psycopg.errors.UniqueViolation as err:
            raise DataContractError(
                f"refresh: expected one row per key, got {err.diag.message_detail}",
                hint="Run `plmrec embed` again",
            ) from err
        try:
            _build_hnsw(conn, generation, table, memory_mib=memory, workers=workers)
        except (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory):
            if not workers:
                raise
            # Parallel builds need shared memory, of which containers often have 64 MiB only.
            log.warning("building %s again with one worker", table.as_string(conn))
            _build_hnsw(conn, generation, table, memory_mib=memory, workers=0)
        with step(conn):
            conn.execute(sql.SQL("ANALYZE {}").format(table))


def set_search(conn: Connection, generation: Generation) -> None:
    """Search in this transaction as the generation was measured.

    The iterative scan goes on until the query has its k rows, also when a filter drops many.
    """
    set_local(
        conn,
        hnsw__ef_search=str(generation.index_params["ef_search"]),
        hnsw__iterative_scan="strict_order",
    )


def index_params(index: IndexParams) -> dict[str, int]:
    """Parameters that shape a generation and the way it is searched."""
    return {"m": index.m, "ef_construction": index.ef_construction, "ef_search": index.ef_search}


def tables_of(generation: Generation) -> tuple[tuple[sql.Identifier, dict[str, str]], ...]:
    """Name both tables of a generation, each with its columns."""
    return ((generation.items, ITEM_COLUMNS), (generation.passages, PASSAGE_COLUMNS))


@contextmanager
def step(conn: Connection) -> Iterator[None]:
    """Run a transaction that the server stops soon after the client has died."""
    with conn.transaction():
        set_local(conn, client_connection_check_interval="1s")
        yield


def _copy(
    conn: Connection,
    table: sql.Identifier,
    columns: Mapping[str, str],
    rows: Iterable[Mapping[str, Any]],
) -> int:
    statement = sql.SQL("COPY {} FROM STDIN WITH (FORMAT BINARY)").format(table)
    names = list(columns)
    n_rows = 0
    with step(conn), conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([{"float8": "float8"}.get(kind, kind) for kind in columns.values()])
        for row in rows:
            copy.write_row([_storable(row[name]) for name in names])
            n_rows += 1
    return n_rows


def _storable(value: Any) -> Any:
    """Drop the one character that PostgreSQL cannot store."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_storable(part) for part in value]
    return value


def _build_hnsw(
    conn: Connection,
    generation: Generation,
    table: sql.Identifier,
    *,
    memory_mib: int,
    workers: int,
) -> None:
    statement = sql.SQL(
        "CREATE INDEX ON {} USING hnsw (embedding vector_ip_ops)"
        " WITH (m = {}, ef_construction = {})"
    ).format(
        table,
        sql.Literal(generation.index_params["m"]),
        sql.Literal(generation.index_params["ef_construction"]),
    )
    with step(conn):
        set_local(
            conn,
            maintenance_work_mem=f"{memory_mib}MB",
            max_parallel_maintenance_workers=str(workers),
        )
        conn.execute(statement)


def _build_memory_mib(n_rows: int, dim: int, m: int) -> int:
    """Memory that holds the whole graph: vectors, two layers' worth of links, and slack."""
    lowest, highest = _MEMORY_MIB
    wanted = n_rows * (4 * dim + 2 * m * 32 + 256) * 3 // 2 // _MIB
    return min(max(wanted, lowest), highest)
