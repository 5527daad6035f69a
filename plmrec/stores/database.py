"""PostgreSQL: the connection pool and the migrations of the schema ``plmrec``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any, Final, TypeAlias

import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg_pool import ConnectionPool, PoolTimeout

from plmrec.errors import ServiceUnavailableError

Connection: TypeAlias = psycopg.Connection[Any]
Pool: TypeAlias = ConnectionPool[Connection]

SCHEMA: Final = "plmrec"
_MIGRATION_LOCK: Final = 0x706C6D72  # advisory lock: one process migrates, the others wait


@contextmanager
def open_database(dsn: str, *, max_size: int = 4) -> Iterator[Pool]:
    """Open a pool on a migrated database; connections read and write vectors.

    Args:
        dsn: ``postgresql://…`` of a server with the extension pgvector.
        max_size: Most connections at a time.

    Raises:
        ServiceUnavailableError: The server does not answer within 10 s.
    """
    try:
        with psycopg.connect(dsn, connect_timeout=10) as conn:
            migrate(conn)
    except psycopg.OperationalError as err:
        raise ServiceUnavailableError(
            "database: no answer from PostgreSQL",
            hint="Start it with `plmrec up`, or correct PLMREC_DATABASE_URL",
        ) from err
    pool: Pool = ConnectionPool(
        dsn, configure=_configure, min_size=1, max_size=max_size, open=False
    )
    try:
        pool.open(wait=True, timeout=10.0)
    except PoolTimeout as err:
        pool.close()
        raise ServiceUnavailableError("database: no connection within 10 s") from err
    with pool:
        yield pool


def _configure(conn: Connection) -> None:
    conn.execute(sql.SQL("SET search_path = {}, public").format(sql.Identifier(SCHEMA)))
    register_vector(conn)
    conn.commit()  # the pool discards a connection left inside a transaction


def migrate(conn: Connection) -> list[str]:
    """Apply the migrations that are missing, in order, in one transaction.

    Returns:
        Names of the migrations applied now.
    """
    applied = []
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
        conn.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
        conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
        conn.execute(sql.SQL("SET LOCAL search_path = {}, public").format(sql.Identifier(SCHEMA)))
        conn.execute(
            "CREATE TABLE IF NOT EXISTS migration"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        done = {name for (name,) in conn.execute("SELECT name FROM migration").fetchall()}
        folder = resources.files("plmrec.stores") / "migrations"
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".sql") and file.name not in done:
                conn.execute(file.read_text(encoding="utf-8").encode())
                conn.execute("INSERT INTO migration (name) VALUES (%s)", (file.name,))
                applied.append(file.name)
    return applied
