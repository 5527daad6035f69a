"""Short ways for tests to ask the live generation what the product asks it."""

from __future__ import annotations

from collections.abc import Sequence

from plmrec.stores.database import Connection, Pool
from plmrec.stores.generations import Generation
from plmrec.stores.live import (
    IndexedItem,
    IndexedPassage,
    ItemHit,
    ask_live,
    items_by_id,
    nearest_passages_of,
    search_items,
)
from plmrec.types import FloatMatrix


def fetch_items(pool: Pool, item_ids: Sequence[str]) -> dict[str, IndexedItem]:
    """Fetch items by id."""
    return ask_live(pool, lambda conn, live: items_by_id(conn, live, item_ids))


def nearest_items(
    pool: Pool, query: FloatMatrix, *, k: int, exclude: Sequence[str] = ()
) -> list[ItemHit]:
    """Find the items nearest to a query, best first."""

    def question(conn: Connection, live: Generation) -> list[ItemHit]:
        return search_items(conn, live, query, k=k, exclude=exclude)

    return ask_live(pool, question)


def best_passages(pool: Pool, item_id: str, query: FloatMatrix, *, k: int) -> list[IndexedPassage]:
    """Find the passages of one item that are nearest to a query, best first."""

    def question(conn: Connection, live: Generation) -> list[IndexedPassage]:
        return nearest_passages_of(conn, live, [item_id], query, k=k).get(item_id, [])

    return ask_live(pool, question)
