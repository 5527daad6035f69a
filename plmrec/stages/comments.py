"""Comments of users, gathered by item so that a shard of items reads only its own."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import Any, Final

import pyarrow.compute as pc

from plmrec.digests import digest_json, digest_rows, shard_of
from plmrec.stores.workspace import ShardedTable

_MOST: Final = 500  # comments kept of an item, the latest; more change their mean little


class _Comments:
    """The comments on one item: how many there were, and the latest of them."""

    def __init__(self) -> None:
        self.n = 0
        self._latest: list[tuple[str, str, str]] = []

    def add(self, comment: tuple[str, str, str]) -> None:
        """Add a comment: its time, its user and its text; the earliest goes when there are many."""
        self.n += 1
        if len(self._latest) < _MOST:
            heapq.heappush(self._latest, comment)
        else:
            heapq.heappushpop(self._latest, comment)

    def as_row(self) -> dict[str, Any]:
        """Row of the table, without the item's id; texts in order of time."""
        latest = sorted(self._latest)
        return {
            "n_comments": self.n,
            "texts": [text for _, _, text in latest],
            "digest": digest_json([self.n, latest]),
        }


def gather_comments(interactions: ShardedTable, comments: ShardedTable) -> int:
    """Bring the table of comments up to date; shards without a change are not written.

    Returns:
        The number of comments.
    """
    found: dict[str, _Comments] = defaultdict(_Comments)
    for shard in interactions.shards:
        table = interactions.read(shard, ["user_id", "item_id", "text", "timestamp"])
        for row in table.filter(pc.is_valid(table["text"])).to_pylist():
            if row["text"].strip():
                found[row["item_id"]].add((str(row["timestamp"]), row["user_id"], row["text"]))
    rows: dict[str, list[dict[str, Any]]] = {shard: [] for shard in comments.shards}
    for item_id in sorted(found):
        row = {"item_id": item_id, **found[item_id].as_row()}
        rows[comments.shards[shard_of(item_id, comments.n_shards)]].append(row)
    for shard, fresh in rows.items():
        known = comments.read(shard, ["item_id", "digest"]).to_pylist()
        if not comments.exists(shard) or _digest(known) != _digest(fresh):
            comments.write(shard, fresh)
    return sum(each.n for each in found.values())


def _digest(rows: list[dict[str, Any]]) -> str:
    return digest_rows((row["item_id"], row["digest"]) for row in rows)
