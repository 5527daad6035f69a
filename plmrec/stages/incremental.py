"""Cost in proportion to change: a stage recomputes only the rows whose inputs changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plmrec.stores.workspace import ShardedTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardOutcome:
    """What happened to one shard.

    Attributes:
        rows: All rows of the shard after the update, sorted by key.
        computed: Keys whose rows were computed now.
        reused: Number of rows taken over unchanged.
    """

    rows: list[dict[str, Any]]
    computed: list[str]
    reused: int


def stale_keys(table: ShardedTable, shard: str, inputs: Mapping[str, str]) -> list[str]:
    """Keys of a shard that are new or whose input digest changed, sorted.

    Args:
        table: A table with the columns ``<key>`` and ``input_digest``.
        shard: One of its shards.
        inputs: Key of each row the shard should have, and digest of what it is computed from.
    """
    columns = [table.key, "input_digest"]
    known = {row[table.key]: row["input_digest"] for row in table.read(shard, columns).to_pylist()}
    return sorted(key for key, digest in inputs.items() if known.get(key) != digest)


def is_current(table: ShardedTable, shard: str, inputs: Mapping[str, str]) -> bool:
    """Tell whether a shard exists and holds exactly the rows that its inputs call for."""
    if not table.exists(shard) or stale_keys(table, shard, inputs):
        return False
    known = table.read(shard, [table.key]).column(table.key).to_pylist()
    return set(known) == set(inputs)


def update_shard(
    table: ShardedTable,
    shard: str,
    *,
    inputs: Mapping[str, str],
    compute: Callable[[Sequence[str]], Sequence[Mapping[str, Any]]],
) -> ShardOutcome:
    """Bring one shard up to date and write it, if anything changed.

    Running it again with the same inputs computes nothing and writes nothing. Rows whose key
    is no longer among the inputs are dropped.

    Args:
        table: One row per key, with the columns ``<key>`` and ``input_digest``.
        shard: One of its shards.
        inputs: Key of each row the shard should have, and digest of what it is computed from
            (data, parameters, model fingerprint: everything that would change the row).
        compute: Returns one row per key it is given, with all columns but ``input_digest``;
            called once, with the stale keys, sorted; not called when there are none.
    """
    stale = stale_keys(table, shard, inputs)
    kept = [
        row
        for row in table.read(shard).to_pylist()
        if row[table.key] in inputs and row["input_digest"] == inputs[row[table.key]]
    ]
    fresh = [
        {**row, "input_digest": inputs[row[table.key]]} for row in (compute(stale) if stale else [])
    ]
    rows = sorted([*kept, *fresh], key=lambda row: str(row[table.key]))
    if fresh or not is_current(table, shard, inputs):
        table.write(shard, rows)
    return ShardOutcome(rows=rows, computed=stale, reused=len(kept))
