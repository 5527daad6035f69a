"""Stage "refresh": build a generation of the index, measure it, and let it answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from plmrec.digests import digest_json
from plmrec.errors import GateError
from plmrec.params import IndexParams
from plmrec.stages.index_rows import (
    IndexSources,
    digest_sources,
    read_items,
    read_passages,
    vector_width,
)
from plmrec.stores.building import building, discard, drop_unused, record, register
from plmrec.stores.database import Connection, Pool
from plmrec.stores.generations import Generation, Live, find_kept, read_live, switch
from plmrec.stores.index_tables import (
    build_indexes,
    copy_items,
    copy_passages,
    create_tables,
    index_params,
)
from plmrec.stores.recall import measure_recall
from plmrec.stores.releases import Release
from plmrec.types import StageReport

log = logging.getLogger(__name__)

OnProgress: TypeAlias = Callable[[int, int], None]  # steps done, steps in all


def refresh_index(
    *,
    pool: Pool,
    release: Release,
    sources: IndexSources,
    index: IndexParams,
    seed: int,
    on_progress: OnProgress | None = None,
) -> StageReport:
    """Build a generation for a release and switch to it, if its inputs changed.

    With unchanged inputs the generation that was kept answers on and nothing is computed. A
    process killed on the way leaves the live generation as it was; the next run clears what it
    left behind.

    Args:
        pool: Of the database.
        release: The champion; its encoder's vectors are in ``sources``.
        sources: Tables of the workspace, and its quarantine.
        index: Shape of the index and its gate.
        seed: Of the recall sample.
        on_progress: Called after each shard and each later step.

    Returns:
        In: embedded items; out: items of the generation that answers now.

    Raises:
        GateError: No item could be indexed, or recall is too low; the live generation stays.
        TransientError: Another refresh is at work, or the champion changed meanwhile.
    """
    started = time.monotonic()
    rows_digest, n_items = digest_sources(sources)
    digest = digest_json([rows_digest, index_params(index)])
    with building(pool) as conn:
        dropped = drop_unused(conn)  # of dead builders, or still being read last time
        generation = find_kept(conn, release_version=release.version, digest=digest)
        is_new = generation is None or (generation.recall_at_10 or 0.0) < index.min_recall
        if generation is None or is_new:
            generation = _register(conn, release, sources, digest=digest, index=index)
            builder = _Builder(conn, generation, sources, on_progress)
            generation = builder.build(index, seed=seed)
        switched = switch(conn, generation.generation_id)
        dropped += drop_unused(conn)
        with conn.transaction():
            live = read_live(conn)
    return StageReport(
        stage="refresh",
        n_in=n_items,
        n_out=generation.n_items,
        n_quarantined=n_items - generation.n_items,
        computed=generation.n_items if is_new else 0,
        reused=0 if is_new else generation.n_items,
        seconds=time.monotonic() - started,
        digest=digest,
        details=_details(live, switched=switched, dropped=dropped),
    )


def _register(
    conn: Connection, release: Release, sources: IndexSources, *, digest: str, index: IndexParams
) -> Generation:
    dim = vector_width(sources)
    if not dim:
        raise GateError(
            "refresh: expected items with vectors, got none; the live generation stays",
            hint="Run `plmrec embed` on a dataset with items",
        )
    return register(
        conn,
        release,
        encoder_name=sources.encoder_name,
        dim=dim,
        dataset_digest=sources.dataset_digest,
        digest=digest,
        index_params=index_params(index),
    )


class _Builder:
    """One build, from empty tables to a generation that passed the gate."""

    def __init__(
        self,
        conn: Connection,
        generation: Generation,
        sources: IndexSources,
        on_progress: OnProgress | None,
    ) -> None:
        self._conn = conn
        self._generation = generation
        self._sources = sources
        self._on_progress = on_progress
        self._n_steps = len(sources.vectors.shards) + 2  # the indexes and the measurement
        self._n_done = 0

    def build(self, index: IndexParams, *, seed: int) -> Generation:
        """Load, index and measure; a generation that is refused is dropped."""
        n_items, n_passages = self._load()
        build_indexes(self._conn, self._generation, n_rows=max(n_items, n_passages))
        self._step()
        recall = measure_recall(
            self._conn, self._generation, n_queries=index.recall_queries, seed=seed
        )
        self._step()
        built = record(
            self._conn,
            self._generation.generation_id,
            n_items=n_items,
            n_passages=n_passages,
            recall=recall,
        )
        if recall < index.min_recall:
            self._refuse(
                f"refresh: expected recall@10 of at least {index.min_recall}, got {recall:.4f}",
                hint="Raise index.ef_search, ef_construction or m in params.yaml",
            )
        return built

    def _load(self) -> tuple[int, int]:
        """Copy every shard; returns the numbers of items and passages."""
        generation, dim = self._generation, self._generation.dim
        create_tables(self._conn, generation)
        n_items = n_passages = 0
        for shard in self._sources.vectors.shards:
            rows = read_items(self._sources, shard, dim=dim)
            self._sources.quarantine.replace("refresh", shard, rows.refusals)
            n_items += copy_items(self._conn, generation, rows.items)
            item_ids = {row["item_id"] for row in rows.items}
            passages = read_passages(self._sources, shard, dim=dim, item_ids=item_ids)
            n_passages += copy_passages(self._conn, generation, passages)
            log.info("%s: %d items and %d passages so far", shard, n_items, n_passages)
            self._step()
        if not n_items:
            self._refuse(
                "refresh: expected items with vectors, got none that can be indexed",
                hint="See `plmrec quarantine list`, then run `plmrec embed` again",
            )
        return n_items, n_passages

    def _refuse(self, message: str, *, hint: str) -> None:
        discard(self._conn, self._generation, "refused")
        raise GateError(f"{message}; the live generation stays", hint=hint)

    def _step(self) -> None:
        self._n_done += 1
        if self._on_progress is not None:
            self._on_progress(self._n_done, self._n_steps)


def _details(live: Live, *, switched: bool, dropped: list[int]) -> dict[str, Any]:
    return {
        "generation": live.generation.generation_id,
        "release": live.generation.release_version,
        "recall_at_10": round(live.generation.recall_at_10 or 0.0, 4),
        "switched": switched,
        "n_passages": live.generation.n_passages,
        "previous": live.previous.generation_id if live.previous else None,
        "dropped": dropped,
    }
