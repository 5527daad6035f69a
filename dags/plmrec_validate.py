"""Validate a dataset.

Reads the dataset, normalises it, judges each table with a Great Expectations suite, moves refused
rows to the quarantine, and snapshots what was accepted with DVC.

* **Runs** daily, when `plmrec://ingest` is updated, or by hand with the folder of a dataset.
* **Updates** `plmrec://dataset` with the DVC digest and the counts.
* **Fails** at once when the data are unusable; the message names file, row and reason.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, dag

from plmrec_dagkit import DATASET, INGEST, StageOperator, dag_defaults


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 3 * * *", timezone="UTC", run_immediately=timedelta(0)),
        assets=[INGEST],
    ),
    doc_md=__doc__,
    params={
        "dataset": Param(
            "",
            type="string",
            title="Dataset",
            description_md="Folder of the dataset; empty: the folder validated last.",
        ),
        "retrain": Param(
            False,
            type="boolean",
            title="Retrain",
            description_md="Train at the end of the chain even if the last training is recent.",
        ),
    },
    **dag_defaults(deadline=timedelta(hours=2)),
)
def plmrec_validate() -> None:
    StageOperator(
        task_id="validate",
        call="validate.validate",
        arguments={"dataset": "{{ params.dataset }}"},
        outlets=[DATASET],
        pool="dvc",
    )


plmrec_validate()
