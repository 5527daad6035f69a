"""Building generations: one builder at a time, and what becomes of builds that are not kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from plmrec.errors import TransientError
from plmrec.stores.database import Connection, Pool
from plmrec.stores.generations import (
    COLUMNS,
    Generation,
    present,
    reaching_database,
    set_local,
)
from plmrec.stores.releases import Release

log = logging.getLogger(__name__)

_REFRESH_LOCK: Final = 0x706C6D69  # advisory lock of the session that builds
_DROP_WAIT: Final = "10s"  # longest wait for readers of a table that is to be dropped


@contextmanager
def building(pool: Pool, *, wait_s: float = 30.0) -> Iterator[Connection]:
    """Hold the one connection that may build; two refreshes never overlap.

    The lock belongs to the session, so it ends with a killed process; whoever holds it knows
    that every other generation in state ``building`` is a dead one's leftover.

    Args:
        pool: Of the database.
        wait_s: Longest wait for another refresh to end, seconds.

    Raises:
        TransientError: Another refresh was still at work.
    """
    with reaching_database(), pool.connection() as conn:
        try:
            with conn.transaction():
                set_local(conn, lock_timeout=f"{int(wait_s * 1000)}ms")
                conn.execute("SELECT pg_advisory_lock(%s)", (_REFRESH_LOCK,))
        except psycopg.errors.LockNotAvailable as err:
            raise TransientError(
                f"refresh: another refresh was still at work after {wait_s:g} s",
                hint="Try again when it has ended",
            ) from err
        try:
            yield conn
        finally:
            if not conn.closed:
                with conn.transaction():
                    conn.execute("SELECT pg_advisory_unlock(%s)", (_REFRESH_LOCK,))


def register(conn: Connection, release: Release, **values: Any) -> Generation:
    """Register a generation in state ``building``.

    Args:
        conn: The connection of ``building``.
        release: What it is built for.
        **values: ``encoder_name``, ``dim``, ``dataset_digest``, ``digest``, ``index_params``.
    """
    values["index_params"] = Jsonb(values["index_params"])
    values |= {"version": release.version, "fingerprint": release.encoder_fingerprint}
    statement = sql.SQL(
        "INSERT INTO generation AS g (release_version, encoder_fingerprint, encoder_name, dim,"
        " dataset_digest, digest, index_params) VALUES (%(version)s, %(fingerprint)s,"
        " %(encoder_name)s, %(dim)s, %(dataset_digest)s, %(digest)s, %(index_params)s)"
        " RETURNING {}"
    ).format(COLUMNS)
    with conn.transaction():
        found = conn.cursor(row_factory=class_row(Generation)).execute(statement, values).fetchone()
    return present(found)


def record(
    conn: Connection, generation_id: int, *, n_items: int, n_passages: int, recall: float
) -> Generation:
    """Write down what was built and how well it finds."""
    statement = sql.SQL(
        "UPDATE generation AS g SET n_items = %s, n_passages = %s, recall_at_10 = %s"
        " WHERE generation_id = %s RETURNING {}"
    ).format(COLUMNS)
    values = (n_items, n_passages, recall, generation_id)
    with conn.transaction():
        cursor = conn.cursor(row_factory=class_row(Generation))
        return present(cursor.execute(statement, values).fetchone())


def discard(conn: Connection, generation: Generation, status: str) -> bool:
    """Drop the tables of a generation and say why in its row.

    Each table goes in a transaction of its own: a drop that holds one table while it waits for
    the other could deadlock with a reader.

    Returns:
        False when readers did not let go in time; the next refresh tries again.
    """
    try:
        for table in (generation.items, generation.passages):
            with conn.transaction():
                set_local(conn, lock_timeout=_DROP_WAIT)
                conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    except psycopg.errors.LockNotAvailable:
        log.warning("generation %d is still being read, dropped later", generation.generation_id)
        return False
    with conn.transaction():
        conn.execute(
            "UPDATE generation SET status = %s WHERE generation_id = %s",
            (status, generation.generation_id),
        )
    return True


def drop_unused(conn: Connection) -> list[int]:
    """Drop every generation but the live one, its predecessor, and those dropped before.

    Args:
        conn: The connection of ``building``: nobody else builds, so what is ``building`` is dead.

    Returns:
        Ids of the generations dropped, ascending.
    """
    statement = sql.SQL(
        "SELECT {} FROM generation g WHERE g.status IN ('building', 'ready') AND NOT EXISTS"
        " (SELECT FROM live l WHERE g.generation_id IN (l.generation_id, l.previous_id))"
        " ORDER BY generation_id"
    ).format(COLUMNS)
    with conn.transaction():
        unused = conn.cursor(row_factory=class_row(Generation)).execute(statement).fetchall()
    return [each.generation_id for each in unused if discard(conn, each, "dropped")]
