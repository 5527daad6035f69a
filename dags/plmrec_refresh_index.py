"""Refresh the vector index.

Builds a new generation of the pgvector index for the champion, measures its recall@10 against exact
search, and switches the live pointer if the gate is passed. Readers notice nothing.

* **Runs** when `plmrec://champion` or `plmrec://embeddings` is updated; skipped without a champion.
* **Updates** `plmrec://index` with generation, release and recall.
* The previous generation stays for `plmrec rollback`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import dag, task

from plmrec_dagkit import CHAMPION, EMBEDDINGS, INDEX, StageOperator, dag_defaults


@dag(schedule=(CHAMPION | EMBEDDINGS), doc_md=__doc__, **dag_defaults(deadline=timedelta(hours=3)))
def plmrec_refresh_index() -> None:
    @task.short_circuit
    def has_champion() -> bool:
        from plmrec.app.refresh import has_champion as check

        return check()

    ready: Any = has_champion()
    ready >> StageOperator(task_id="refresh", call="refresh.refresh", outlets=[INDEX], pool="index")


plmrec_refresh_index()
