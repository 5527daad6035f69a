"""Questions to the live generation that need no more than one answer; see ``live`` for more."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql
from psycopg.rows import class_row

from plmrec.stores.database import Connection, Pool
from plmrec.stores.generations import Generation
from plmrec.stores.live import (
    PASSAGE,
    IndexedItem,
    IndexedPassage,
    ItemHit,
    ask_live,
    check_query,
    items_by_id,
    nearest_passages_of,
    search_items,
    storable_ids,
)
from plmrec.types import FloatMatrix


def fetch_items(pool: Pool, item_ids: Sequence[str]) -> dict[str, IndexedItem]:
    """Fetch items by id; ids that the live generation does not know are left out."""

    def question(conn: Connection, live: Generation) -> dict[str, IndexedItem]:
        return items_by_id(conn, live, item_ids)

    return ask_live(pool, question)


def passages_of(pool: Pool, item_ids: Sequence[str]) -> dict[str, list[IndexedPassage]]:
    """Fetch all passages of some items, in the order of the document."""
    statement = "SELECT {columns} FROM {table} WHERE item_id = ANY(%s) ORDER BY item_id, passage_no"

    def question(conn: Connection, live: Generation) -> dict[str, list[IndexedPassage]]:
        composed = sql.SQL(statement).format(columns=PASSAGE, table=live.passages)
        found: dict[str, list[IndexedPassage]] = {}
        cursor = conn.cursor(row_factory=class_row(IndexedPassage))
        for passage in cursor.execute(composed, (storable_ids(item_ids),)):
            found.setdefault(passage.item_id, []).append(passage)
        return found

    return ask_live(pool, question)


def best_passages(
    pool: Pool, item_id: str, query_vector: FloatMatrix, *, k: int
) -> list[IndexedPassage]:
    """Find the passages of one item that are nearest to a query, best first, by exact search.

    Args:
        pool: Of the database.
        item_id: Unknown ids have no passages.
        query_vector: float32, shape (dim,), of unit length.
        k: Most passages to return.
    """

    def question(conn: Connection, live: Generation) -> list[IndexedPassage]:
        check_query(query_vector, live)
        return nearest_passages_of(conn, live, [item_id], query_vector, k=k).get(item_id, [])

    return ask_live(pool, question)


def closest_passages(
    pool: Pool, item_ids: Sequence[str], query_vector: FloatMatrix
) -> dict[str, IndexedPassage]:
    """Find, for each of some items, its passage nearest to a query, by exact search.

    Args:
        pool: Of the database.
        item_ids: Items without passages are left out of the answer.
        query_vector: float32, shape (dim,), of unit length.
    """

    def question(conn: Connection, live: Generation) -> dict[str, IndexedPassage]:
        check_query(query_vector, live)
        found = nearest_passages_of(conn, live, item_ids, query_vector, k=1)
        return {item_id: passages[0] for item_id, passages in found.items()}

    return ask_live(pool, question)


def nearest_items(
    pool: Pool, query_vector: FloatMatrix, *, k: int, exclude: Sequence[str] = ()
) -> list[ItemHit]:
    """Find the items nearest to a query, best first: exactly k when k are left.

    Args:
        pool: Of the database.
        query_vector: float32, shape (dim,), of unit length.
        k: Items to return.
        exclude: Items to leave out, such as those already seen.
    """

    def question(conn: Connection, live: Generation) -> list[ItemHit]:
        check_query(query_vector, live)
        return search_items(conn, live, query_vector, k=k, exclude=exclude)

    return ask_live(pool, question)
