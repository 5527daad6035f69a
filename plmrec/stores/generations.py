"""Generations of the vector index: their life, and the pointer to the live one.

A generation is two immutable tables, ``g<id>_items`` and ``g<id>_passages``. It is ``building``,
then ``ready`` (live, or kept for a rollback), or ``refused`` by the recall gate; in the end its
tables are ``dropped``. Its row in ``generation`` stays.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from plmrec.errors import MissingStageError, ServiceUnavailableError, TransientError
from plmrec.stores.database import Connection, Pool

log = logging.getLogger(__name__)

T = TypeVar("T")

COLUMNS: Final = sql.SQL(  # of table generation, as g
    "g.generation_id, g.release_version, g.encoder_fingerprint, g.encoder_name, g.dim,"
    " g.dataset_digest, g.digest, g.index_params, g.n_items, g.n_passages, g.recall_at_10,"
    " g.status, g.created_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One build of the vector index; the fields are the columns of table ``generation``."""

    generation_id: int
    release_version: int
    encoder_fingerprint: str
    encoder_name: str
    dim: int
    dataset_digest: str
    digest: str
    index_params: dict[str, int]
    n_items: int
    n_passages: int
    recall_at_10: float | None
    status: str
    created_at: datetime

    @property
    def items(self) -> sql.Identifier:
        """Name of its table of items."""
        return sql.Identifier(f"g{self.generation_id}_items")

    @property
    def passages(self) -> sql.Identifier:
        """Name of its table of passages."""
        return sql.Identifier(f"g{self.generation_id}_passages")


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The pointer: which generation answers, and which one a rollback brings back."""

    generation: Generation
    previous: Generation | None
    switched_at: datetime


@contextmanager
def reaching_database() -> Iterator[None]:
    """Turn a lost connection or a full server into an error that a retry may help.

    Raises:
        ServiceUnavailableError: PostgreSQL went away, or refused for want of resources.
    """
    try:
        yield
    except psycopg.OperationalError as err:
        words = err.diag.message_primary or type(err).__name__
        raise ServiceUnavailableError(
            f"database: PostgreSQL did not answer: {words}", hint="Check it with `plmrec doctor`"
        ) from err


def read_live(conn: Connection) -> Live:
    """Read the live pointer, in the caller's transaction.

    Raises:
        MissingStageError: No generation ever went live.
    """
    row = conn.execute("SELECT generation_id, previous_id, switched_at FROM live").fetchone()
    if row is None:
        raise MissingStageError(
            "index: expected a live generation, found none", hint="Run `plmrec refresh` first"
        )
    generation_id, previous_id, switched_at = row
    previous = _get(conn, previous_id) if previous_id is not None else None
    return Live(generation=_get(conn, generation_id), previous=previous, switched_at=switched_at)


def live_pointer(pool: Pool) -> Live:
    """Return which generation answers now, and the one kept for a rollback.

    Raises:
        MissingStageError: No generation ever went live.
    """
    with reaching_database(), pool.connection() as conn:
        return read_live(conn)


def list_generations(pool: Pool) -> list[Generation]:
    """List every generation ever built, the newest first."""
    statement = sql.SQL("SELECT {} FROM generation g ORDER BY generation_id DESC").format(COLUMNS)
    with reaching_database(), pool.connection() as conn:
        return conn.cursor(row_factory=class_row(Generation)).execute(statement).fetchall()


def set_local(conn: Connection, **values: str) -> None:
    """Set parameters of the server until the end of the transaction; ``__`` stands for a dot."""
    for name, value in values.items():
        conn.execute("SELECT set_config(%s, %s, true)", (name.replace("__", "."), value))


def find_kept(conn: Connection, *, release_version: int, digest: str) -> Generation | None:
    """Find a kept generation of a release with this digest: the live one or its predecessor."""
    statement = sql.SQL(
        "SELECT {} FROM generation g JOIN live l"
        " ON g.generation_id IN (l.generation_id, l.previous_id)"
        " WHERE g.status = 'ready' AND g.release_version = %s AND g.digest = %s"
        " ORDER BY g.generation_id = l.generation_id DESC LIMIT 1"
    ).format(COLUMNS)
    with conn.transaction():
        cursor = conn.cursor(row_factory=class_row(Generation))
        return cursor.execute(statement, (release_version, digest)).fetchone()


def switch(conn: Connection, generation_id: int) -> bool:
    """Let a generation answer from now on and keep the one before it, in one transaction.

    Returns:
        False when it answered already.

    Raises:
        TransientError: Its release is no longer the champion; the pointer stays.
    """
    with conn.transaction():
        # A rollback waits for this lock, and the other way round.
        live = conn.execute("SELECT generation_id FROM live FOR UPDATE").fetchone()
        row = conn.execute(
            "SELECT r.version, r.state FROM generation g JOIN release r"
            " ON r.version = g.release_version WHERE g.generation_id = %s FOR SHARE OF r",
            (generation_id,),
        ).fetchone()
        version, state = present(row)
        if state != "champion":
            raise TransientError(
                f"refresh: expected release {version} to be champion still, it is {state} now",
                hint="Run `plmrec refresh` again for the new champion",
            )
        if live == (generation_id,):
            return False
        conn.execute(
            "UPDATE generation SET status = 'ready' WHERE generation_id = %s", (generation_id,)
        )
        conn.execute(
            "INSERT INTO live (generation_id) VALUES (%s) ON CONFLICT (one) DO UPDATE SET"
            " generation_id = EXCLUDED.generation_id, previous_id = live.generation_id,"
            " switched_at = now()",
            (generation_id,),
        )
    log.info("generation %d is live", generation_id)
    return True


def roll_back(pool: Pool) -> Live:
    """Swap the live generation with the previous one, and the champion with it.

    One transaction: readers see the old pair of generation and champion, or the new one.

    Returns:
        The pointer after the swap; its ``previous`` is what was live until now.

    Raises:
        MissingStageError: There is nothing to go back to.
    """
    with reaching_database(), pool.connection() as conn, conn.transaction():
        conn.execute("SELECT FROM live FOR UPDATE")
        back = read_live(conn).previous
        if back is None:
            raise MissingStageError(
                "rollback: expected a previous generation, the live one is the first",
                hint="A second `plmrec refresh` keeps one to go back to",
            )
        conn.execute(
            "UPDATE live SET generation_id = previous_id, previous_id = generation_id,"
            " switched_at = now()"
        )
        # Two statements, in this order: at no time may two releases be champion.
        conn.execute(
            "UPDATE release SET state = 'retired', decision = decision || %s"
            " WHERE state = 'champion' AND version <> %s",
            (Jsonb({"verdict": "rolled_back"}), back.release_version),
        )
        conn.execute(
            "UPDATE release SET state = 'champion', decision = decision || %s"
            " WHERE state <> 'champion' AND version = %s",
            (Jsonb({"verdict": "restored"}), back.release_version),
        )
        return read_live(conn)


def _get(conn: Connection, generation_id: int) -> Generation:
    statement = sql.SQL("SELECT {} FROM generation g WHERE generation_id = %s").format(COLUMNS)
    cursor = conn.cursor(row_factory=class_row(Generation))
    return present(cursor.execute(statement, (generation_id,)).fetchone())


def present(row: T | None) -> T:
    """Return a row that must be there, because this transaction or lock protects it."""
    if row is None:
        raise ServiceUnavailableError("database: a row that was just there is gone")
    return row
