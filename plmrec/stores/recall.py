"""The recall of an index: what approximate search finds of the exact answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from psycopg import sql

from plmrec.stores.database import Connection
from plmrec.stores.generations import Generation, set_local
from plmrec.stores.index_tables import set_search, step, tables_of
from plmrec.types import FloatMatrix

log = logging.getLogger(__name__)

RECALL_K: Final = 10
_NOISE: Final = 0.5  # length of the noise added to a unit vector to make a query of it
_TIE: Final = 1e-6  # inner products this close count as equal


def measure_recall(conn: Connection, generation: Generation, *, n_queries: int, seed: int) -> float:
    """Measure recall@10 of both indexes against exact search and return the lower one.

    A query is a vector of the table, chosen by the seed, plus noise of half its length in a
    random direction, scaled to unit length again: as near to its neighbours as a real query,
    and not itself in the table. A row found counts when it is no farther than the tenth of the
    exact answer, so that equal vectors do not count as misses.

    Args:
        conn: The connection of ``building``.
        generation: Loaded and indexed.
        n_queries: Size of the sample per table; all rows when there are fewer.
        seed: Of the sample and the noise.

    Returns:
        Mean over the queries, in [0, 1]; 1.0 for empty tables.

    Source:
        Aumueller, Bernhardsson and Faithfull: ANN-Benchmarks, 2020 (recall by distance).
    """
    worst = 1.0
    for table, columns in tables_of(generation):
        queries = _sample_queries(conn, table, columns, n_queries=n_queries, seed=seed)
        with step(conn):
            set_local(conn, enable_indexscan="off")
            exact = [_nearest_products(conn, table, query) for query in queries]
        with step(conn):
            set_local(conn, enable_seqscan="off")
            set_search(conn, generation)
            found = [_nearest_products(conn, table, query) for query in queries]
        recalls = [
            float((np.asarray(near) >= best[-1] - _TIE).sum()) / len(best)
            for near, best in zip(found, exact, strict=True)
        ]
        recall = float(np.mean(recalls)) if recalls else 1.0
        log.info("recall@%d of %s: %.4f", RECALL_K, table.as_string(conn), recall)
        worst = min(worst, recall)
    return worst


def _sample_queries(
    conn: Connection,
    table: sql.Identifier,
    columns: Mapping[str, str],
    *,
    n_queries: int,
    seed: int,
) -> FloatMatrix:
    key = "item_id || ':' || passage_no" if "passage_no" in columns else "item_id"
    statement = sql.SQL(
        "SELECT embedding FROM {table} ORDER BY hashtextextended({key}, %s), {key} LIMIT %s"
    ).format(table=table, key=sql.SQL(key))
    with step(conn):
        rows = conn.execute(statement, (seed, n_queries)).fetchall()
    if not rows:
        return np.empty((0, 0), dtype=np.float32)
    vectors = np.stack([vector.to_numpy() for (vector,) in rows])
    noise = np.random.default_rng(seed).standard_normal(vectors.shape).astype(np.float32)
    noise *= _NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
    queries = vectors + noise
    return np.asarray(queries / np.linalg.norm(queries, axis=1, keepdims=True), dtype=np.float32)


def _nearest_products(
    conn: Connection, table: sql.Identifier, query: FloatMatrix
) -> Sequence[float]:
    """Inner products of the ten rows nearest to a query, best first."""
    statement = sql.SQL(
        "SELECT -(embedding <#> %s) FROM {} ORDER BY embedding <#> %s LIMIT %s"
    ).format(table)
    # Never prepared: a cached plan would outlive the settings that choose exact or approximate.
    cursor = conn.execute(statement, (query, query, RECALL_K), prepare=False)
    return [product for (product,) in cursor.fetchall()]
