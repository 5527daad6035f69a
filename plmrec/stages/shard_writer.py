"""Accepted rows on their way into the shards of a table, each shard sorted and written once."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from plmrec.digests import shard_of
from plmrec.stores.workspace import ShardedTable


class ShardWriter:
    """Collects the rows of a shard until it is complete.

    Args:
        table: Where the rows go.
        order: Columns to sort by; together they decide the order of all rows.
    """

    def __init__(self, table: ShardedTable, order: Sequence[str]) -> None:
        self._table = table
        self._order = [(column, "ascending") for column in order]
        self._parts: dict[int, list[pa.Table]] = {}
        self.n_rows = 0

    def add(self, rows: pa.Table) -> None:
        """Add rows with the columns of the table, and perhaps more."""
        schema = self._table.schema
        rows = rows.select(schema.names).cast(schema)
        places: dict[int, list[int]] = {}
        for place, key in enumerate(rows[self._table.key].to_pylist()):
            places.setdefault(shard_of(key, self._table.n_shards), []).append(place)
        for shard, taken in places.items():
            self._parts.setdefault(shard, []).append(rows.take(taken))
        self.n_rows += rows.num_rows

    def complete(self, shards: Sequence[int]) -> None:
        """Write shards that get no more rows."""
        for shard in shards:
            parts = self._parts.pop(shard, [self._table.schema.empty_table()])
            rows = pa.concat_tables(parts).sort_by(self._order)
            self._table.write(self._table.shards[shard], rows)
