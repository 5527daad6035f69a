"""What an upgrade of the encoder will cost, from a sample of the workspace's own passages."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plmrec.encoders.base import Encoder
from plmrec.stores.workspace import ShardedTable

SAMPLE: Final = 128  # passages that are timed
_FLOAT_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What embedding everything with another encoder takes.

    Attributes:
        items: Items to embed.
        passages: Passages to embed, with the passages of the current encoder; another tokenizer
            may cut a few more or less.
        sampled: Passages that were timed.
        seconds_per_passage: Of these, in one process.
        seconds: For all passages, in one process; shards may share them.
        load_s: To load the weights, once a process.
        vector_bytes: Of the vectors of passages and items, float32, before compression.
    """

    items: int
    passages: int
    sampled: int
    seconds_per_passage: float
    seconds: float
    load_s: float
    vector_bytes: int


def draw_passages(
    passages: ShardedTable, item_ids: Collection[str], n: int = SAMPLE
) -> tuple[list[str], int]:
    """Draw passages of some items, evenly spaced in the order of the table.

    They are counted first, so that the texts of one shard at a time are in memory.

    Args:
        passages: Of one encoder.
        item_ids: Whose passages.
        n: How many to draw; all where there are fewer.

    Returns:
        Texts of the passages drawn, and how many there are to draw from.
    """
    wanted = pc.is_in(pc.field("item_id"), pa.array(sorted(item_ids), pa.string()))
    counts = [passages.read(each, ["item_id"]).filter(wanted).num_rows for each in passages.shards]
    total = sum(counts)
    drawn = np.linspace(0, total - 1, min(n, total)).astype(np.int64)
    texts: list[str] = []
    start = 0
    for shard, count in zip(passages.shards, counts, strict=True):
        mine = drawn[(drawn >= start) & (drawn < start + count)] - start
        start += count
        if len(mine):
            found = passages.read(shard, ["item_id", "text"]).filter(wanted)
            texts += found.column("text").take(pa.array(mine)).to_pylist()
    return texts, total


def estimate_cost(
    encoder: Encoder, sample: Sequence[str], *, n_items: int, n_passages: int
) -> Cost:
    """Time an encoder on some passages and extrapolate.

    Args:
        encoder: The new one.
        sample: Passages drawn evenly from all, at least one unless there is nothing to embed.
        n_items: Items to embed.
        n_passages: Passages to embed.
    """
    started = time.perf_counter()
    encoder.encode(list(sample[:1]))
    load_s = time.perf_counter() - started
    started = time.perf_counter()
    encoder.encode(list(sample))
    each_s = (time.perf_counter() - started) / max(len(sample), 1)
    return Cost(
        items=n_items,
        passages=n_passages,
        sampled=len(sample),
        seconds_per_passage=each_s,
        seconds=each_s * n_passages,
        load_s=load_s,
        vector_bytes=(n_items + n_passages) * encoder.dim * _FLOAT_BYTES,
    )
