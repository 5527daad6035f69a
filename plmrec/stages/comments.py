"""Comments of users, gathered by item so that a shard of items reads only its own."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import pyarrow.compute as pc

from plmrec.digests import digest_json, digest_rows, shard_of
from plmrec.stores.workspace import ShardedTable

_MOST: Final = 500  # comments kept of an item, the latest; more change their mean little


def gather_comments(interactions: ShardedTable, comments: ShardedTable) -> int:
    """Bring the table of comments up to date; shards without a change are not written.

    Returns:
        The number of comments.
    """
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for shard in interactions.shards:
        table = interactions.read(shard, ["user_id", "item_id", "text", "timestamp"])
        for row in table.filter(pc.is_valid(table["text"])).to_pylist():
            if row["text"].strip():
                found[row["item_id"]].append((str(row["timestamp"]), row["user_id"], row["text"]))
    rows: dict[str, list[dict[str, Any]]] = {shard: [] for shard in comments.shards}
    for item_id in sorted(found):
        some = sorted(found[item_id])
        row = {
            "item_id": item_id,
            "n_comments": len(some),
            "texts": [text for _, _, text in some[-_MOST:]],
            "digest": digest_json(some),
        }
        rows[comments.shards[shard_of(item_id, comments.n_shards)]].append(row)
    for shard, fresh in rows.items():
        known = comments.read(shard, ["item_id", "digest"]).to_pylist()
        if not comments.exists(shard) or _digest(known) != _digest(fresh):
            comments.write(shard, fresh)
    return sum(map(len, found.values()))


def _digest(rows: list[dict[str, Any]]) -> str:
    return digest_rows((row["item_id"], row["digest"]) for row in rows)
