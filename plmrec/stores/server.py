"""The PostgreSQL server itself: does it answer, hold our databases, store vectors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import psycopg
from psycopg import sql

from plmrec.errors import ServiceUnavailableError

_LOCK_ID: Final = 0x706C6D63  # advisory lock: one process creates databases, the others wait
_MIN_SERVER: Final = 150000
_MIN_PGVECTOR: Final = (0, 8)


def answers(url: str) -> bool:
    """Tell whether one can connect to a database now."""
    try:
        with psycopg.connect(url, connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False


def create_databases(url: str, names: Iterable[str]) -> None:
    """Create the databases that are missing on a server.

    Args:
        url: Any database of the server that one may connect to.
        names: Databases that must exist.

    Raises:
        ServiceUnavailableError: The server does not answer, or the role may not create them.
    """
    names = list(names)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as conn:
            conn.execute("SELECT pg_advisory_lock(%s)", (_LOCK_ID,))
            rows = conn.execute("SELECT datname FROM pg_database").fetchall()
            for name in sorted(set(names) - {found for (found,) in rows}):
                conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as err:
        raise ServiceUnavailableError(
            f"database: expected {', '.join(names)} on the server: {_reason(err)}",
            hint="Correct PLMREC_DATABASE_URL, or give its role CREATEDB",
        ) from err


def probe_vectors(url: str) -> str:
    """Write vectors, index them, find the nearest; nothing is left behind.

    Returns:
        One line with the versions found.

    Raises:
        ServiceUnavailableError: No answer, too old a version, or a wrong neighbour.
    """
    try:
        with psycopg.connect(url, connect_timeout=10) as conn:
            conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
            found = conn.execute(
                "SELECT extversion, current_setting('server_version_num')::int,"
                " current_setting('server_version')"
                " FROM pg_extension WHERE extname = 'vector'"
            ).fetchone()
            conn.execute("CREATE TEMPORARY TABLE probe (id int, v vector(3)) ON COMMIT DROP")
            conn.execute("INSERT INTO probe VALUES (1, '[1,0,0]'), (2, '[0,1,0]'), (3, '[0,0,1]')")
            conn.execute("CREATE INDEX ON probe USING hnsw (v vector_ip_ops)")
            nearest = conn.execute(
                "SELECT id FROM probe ORDER BY v <#> %s::vector LIMIT 1", ("[0.1,0.9,0.1]",)
            ).fetchone()
    except psycopg.Error as err:
        raise ServiceUnavailableError(
            f"PostgreSQL cannot store vectors: {_reason(err)}",
            hint="Start it with `plmrec up`, or correct PLMREC_DATABASE_URL",
        ) from err
    pgvector, number, version = found or ("0", 0, "?")
    if number < _MIN_SERVER or tuple(map(int, pgvector.split(".")[:2])) < _MIN_PGVECTOR:
        raise ServiceUnavailableError(
            f"expected PostgreSQL >= 15 with pgvector >= 0.8, got {version} with {pgvector}"
        )
    if nearest != (2,):
        raise ServiceUnavailableError(f"expected the nearest vector 2, got {nearest}")
    return f"PostgreSQL {version} with pgvector {pgvector} wrote, indexed and found a vector"


def _reason(err: psycopg.Error) -> str:
    lines = str(err).strip().splitlines()
    return lines[0] if lines else type(err).__name__
