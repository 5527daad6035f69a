"""The lineage of an item in the live generation: everything it was made of, in one query."""

from __future__ import annotations

from typing import Any, Final

from psycopg import sql
from psycopg.rows import dict_row

from plmrec.stores.database import Connection, Pool
from plmrec.stores.generations import Generation
from plmrec.stores.live import ask_live, storable_ids

_LINEAGE: Final = """
SELECT i.item_id, i.kind, i.title, i.media, i.media_digest, i.item_digest,
       i.transcript_status, i.transcript_backend, i.transcript_digest,
       i.document_digest, i.vector_digest, vector_dims(i.embedding) AS dim,
       p.n_passages, p.n_spoken, p.n_chars,
       g.generation_id, g.dataset_digest, g.digest AS generation_digest, g.encoder_name,
       g.encoder_fingerprint, g.recall_at_10, g.n_items, g.created_at AS built_at, l.switched_at,
       r.version AS release_version, r.state AS release_state, r.recommender_digest,
       r.taxonomy_version, r.taxonomy_digest,
       r.dataset_digest AS trained_on, r.mlflow_run_id, r.git_commit, r.airflow_run
FROM {items} i
CROSS JOIN live l
JOIN generation g USING (generation_id)
JOIN release r ON r.version = g.release_version
CROSS JOIN LATERAL (
    SELECT count(*) AS n_passages, count(start_s) AS n_spoken,
           coalesce(sum(length(text)), 0) AS n_chars
    FROM {passages} WHERE item_id = i.item_id
) p
WHERE i.item_id = ANY(%s)
"""


def lineage_of(pool: Pool, item_id: str) -> dict[str, Any] | None:
    """Follow an item from its media to its vector, generation, release and MLflow run.

    Returns:
        One row by column name; None when the live generation does not know the item.
    """

    def question(conn: Connection, live: Generation) -> dict[str, Any] | None:
        statement = sql.SQL(_LINEAGE).format(items=live.items, passages=live.passages)
        cursor = conn.cursor(row_factory=dict_row)
        return cursor.execute(statement, (storable_ids([item_id]),)).fetchone()

    return ask_live(pool, question)
