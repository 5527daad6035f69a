"""Train a recommender.

Tunes and fits the recommender on the accepted dataset and the item vectors, logs it to MLflow and
registers it as a release.

* **Runs** when `plmrec://embeddings` is updated, but trains at most as often as
  `training.min_interval_days` in params.yaml allows, unless a retrain was asked for.
* **Updates** `plmrec://challenger` with the release and its MLflow run.
* Unchanged inputs give the release that exists; nothing is fitted.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from plmrec_dagkit import CHALLENGER, EMBEDDINGS, StageOperator, dag_defaults, retrain_requested


@dag(
    schedule=[EMBEDDINGS],
    doc_md=__doc__,
    params={
        "retrain": Param(
            False,
            type="boolean",
            title="Retrain",
            description_md="Train even if the last training is recent.",
        )
    },
    **dag_defaults(deadline=timedelta(hours=6)),
)
def plmrec_train() -> None:
    @task.short_circuit
    def is_due() -> bool:
        from plmrec.app.train import should_train

        return should_train(force=retrain_requested(get_current_context()))

    due: Any = is_due()
    due >> StageOperator(task_id="train", call="train.train", outlets=[CHALLENGER])


plmrec_train()
