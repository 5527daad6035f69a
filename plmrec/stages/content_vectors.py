"""What is written and said about items as vectors, without the facts that name them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from plmrec.stores.workspace import ShardedTable
from plmrec.types import FloatMatrix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contents:
    """Items of a shard and what they are about.

    Attributes:
        item_ids: n ids, sorted.
        vectors: float32 (n, d), unit rows: the mean of an item's passages but the first, which
            holds title, genres and names; the first, where there is no other. So a genre that an
            item is labelled with does not find itself in the item's vector.
    """

    item_ids: tuple[str, ...]
    vectors: FloatMatrix


def read_contents(passages: ShardedTable, shard: str) -> Contents:
    """Read the vectors of a shard's items from its passages."""
    table = passages.read(shard, ["item_id", "passage_no", "vector"])
    if not table.num_rows:
        return Contents(item_ids=(), vectors=np.zeros((0, 1), dtype=np.float32))
    ids = np.asarray(table["item_id"].to_pylist(), dtype=object)
    numbers = table["passage_no"].to_numpy()
    flat = pc.list_flatten(table["vector"]).to_numpy()
    vectors = flat.reshape(table.num_rows, -1)
    names, places, counts = np.unique(ids, return_inverse=True, return_counts=True)
    counted = (numbers > 0) | (counts[places] == 1)
    total = np.zeros((len(names), vectors.shape[1]), dtype=np.float64)
    np.add.at(total, places[counted], vectors[counted])
    first = np.zeros_like(total)
    first[places[numbers == 0]] = vectors[numbers == 0]
    lengths = np.linalg.norm(total, axis=1, keepdims=True)
    units = np.where(lengths > 1e-6, total / np.maximum(lengths, 1e-9), first)
    return Contents(item_ids=tuple(map(str, names)), vectors=units.astype(np.float32))
