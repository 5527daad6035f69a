"""Questions to the live generation: items, passages and nearest neighbours.

Every question resolves the live pointer and reads the generation's tables in one snapshot. A
generation that a reader may still use is dropped two refreshes later at the earliest; should
that ever happen in the middle of a question, it is asked once more with the new pointer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from plmrec.errors import ParamsError
from plmrec.stores.database import Connection, Pool
from plmrec.stores.generations import Generation, reaching_database, read_live, set_local
from plmrec.stores.index_tables import set_search
from plmrec.types import FloatMatrix

T = TypeVar("T")

_ITEM: Final = sql.SQL("item_id, kind, title, language, genres, creators, published_at")
PASSAGE: Final = sql.SQL("item_id, passage_no, text, start_s, end_s")
_PASSAGES_PER_ITEM: Final = 4  # passages asked for per item wanted, before asking for more


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedItem:
    """What the live generation knows of an item."""

    item_id: str
    kind: str
    title: str
    language: str | None
    genres: list[str]
    creators: list[str]
    published_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemHit:
    """An item found; ``score`` is the cosine with the query, in [-1, 1]."""

    item_id: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedPassage:
    """A passage of an item; ``score`` is the cosine with the query, None when there was none."""

    item_id: str
    passage_no: int
    text: str
    start_s: float | None
    end_s: float | None
    score: float | None = None


def ask_live(pool: Pool, question: Callable[[Connection, Generation], T]) -> T:
    """Answer a question from the live generation, in one read-only snapshot.

    Args:
        pool: Of the database.
        question: Gets a connection, set up for searching, and the live generation; may be
            called twice.

    Raises:
        MissingStageError: No generation ever went live.
        ServiceUnavailableError: PostgreSQL did not answer.
    """
    try:
        return _ask(pool, question)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InternalError_):
        return _ask(pool, question)  # dropped under a reader that slept through two refreshes


def items_by_id(
    conn: Connection, live: Generation, item_ids: Sequence[str]
) -> dict[str, IndexedItem]:
    """Fetch items by id, within a question."""
    statement = sql.SQL("SELECT {} FROM {} WHERE item_id = ANY(%s)").format(_ITEM, live.items)
    cursor = conn.cursor(row_factory=class_row(IndexedItem))
    found = cursor.execute(statement, (storable_ids(item_ids),)).fetchall()
    return {item.item_id: item for item in found}


def vector_of(conn: Connection, live: Generation, item_id: str) -> FloatMatrix | None:
    """Fetch the vector of an item, float32 of shape (dim,), within a question."""
    statement = sql.SQL("SELECT embedding FROM {} WHERE item_id = ANY(%s)").format(live.items)
    row = conn.execute(statement, (storable_ids([item_id]),)).fetchone()
    return None if row is None else row[0].to_numpy()


def search_items(
    conn: Connection,
    live: Generation,
    query_vector: FloatMatrix,
    *,
    k: int,
    exclude: Sequence[str] = (),
) -> list[ItemHit]:
    """Find the nearest items, within a question; see ``nearest_items``."""
    statement = sql.SQL(
        "SELECT item_id, -(embedding <#> %(query)s) AS score FROM {}"
        " WHERE item_id <> ALL(%(exclude)s) ORDER BY embedding <#> %(query)s LIMIT %(k)s"
    ).format(live.items)
    values = {"query": query_vector, "exclude": storable_ids(exclude), "k": k}
    rows = _search(conn, statement, values, wanted=min(k, live.n_items))
    return [ItemHit(**row) for row in rows]


def search_passages(
    conn: Connection, live: Generation, query_vector: FloatMatrix, *, k: int
) -> list[IndexedPassage]:
    """Find the k items whose best passage is nearest to a query, within a question.

    Returns:
        One passage per item, best first; fewer than k when fewer items have passages.
    """
    statement = sql.SQL(
        "SELECT {}, -(embedding <#> %(query)s) AS score FROM {}"
        " ORDER BY embedding <#> %(query)s LIMIT %(k)s"
    ).format(PASSAGE, live.passages)
    n_asked = _PASSAGES_PER_ITEM * k
    while True:
        n_asked = min(n_asked, live.n_passages)
        rows = _search(conn, statement, {"query": query_vector, "k": n_asked}, wanted=n_asked)
        best: dict[str, IndexedPassage] = {}
        for row in rows:
            best.setdefault(row["item_id"], IndexedPassage(**row))
        if len(best) >= k or n_asked >= live.n_passages:
            return list(best.values())[:k]
        n_asked *= 4


def nearest_passages_of(
    conn: Connection,
    live: Generation,
    item_ids: Sequence[str],
    query_vector: FloatMatrix,
    *,
    k: int,
) -> dict[str, list[IndexedPassage]]:
    """Find the k passages of each item nearest to a query, best first, within a question."""
    statement = sql.SQL(
        "SELECT {columns}, score FROM (SELECT *, -(embedding <#> %(query)s) AS score,"
        " row_number() OVER (PARTITION BY item_id ORDER BY embedding <#> %(query)s) AS place"
        " FROM {table} WHERE item_id = ANY(%(items)s)) AS ranked"
        " WHERE place <= %(k)s ORDER BY item_id, place"
    ).format(columns=PASSAGE, table=live.passages)
    values = {"query": query_vector, "items": storable_ids(item_ids), "k": k}
    found: dict[str, list[IndexedPassage]] = {}
    for passage in conn.cursor(row_factory=class_row(IndexedPassage)).execute(statement, values):
        found.setdefault(passage.item_id, []).append(passage)
    return found


def check_query(query_vector: FloatMatrix, live: Generation) -> None:
    """Refuse a query that another encoder made.

    Raises:
        ParamsError: It does not have the length of the generation's vectors.
    """
    if query_vector.shape != (live.dim,):
        raise ParamsError(
            f"index: expected a query of shape ({live.dim},), got {query_vector.shape}",
            hint="Encode it with the encoder of the live generation",
        )


def storable_ids(item_ids: Sequence[str]) -> list[str]:
    """Leave out ids that PostgreSQL cannot hold, and that no item therefore has."""
    return [each for each in item_ids if "\0" not in each and _is_utf8(each)]


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _ask(pool: Pool, question: Callable[[Connection, Generation], T]) -> T:
    with reaching_database(), pool.connection() as conn, conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        live = read_live(conn).generation
        set_search(conn, live)
        return question(conn, live)


def _search(
    conn: Connection, statement: sql.Composed, values: dict[str, Any], *, wanted: int
) -> list[dict[str, Any]]:
    """Search with the index, and exactly when the index came back with too little.

    The iterative scan gives up after ``hnsw.max_scan_tuples`` rows, so that a filter which
    drops more than that would still starve the answer.
    """
    cursor = conn.cursor(row_factory=dict_row)
    rows = cursor.execute(statement, values, prepare=False).fetchall()
    if len(rows) < wanted:
        set_local(conn, enable_indexscan="off")  # obeyed because the plan is not a cached one
        rows = cursor.execute(statement, values, prepare=False).fetchall()
        set_local(conn, enable_indexscan="on")
    return rows
