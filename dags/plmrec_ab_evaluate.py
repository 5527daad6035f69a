"""Compare challenger and champion.

Judges both on the same held-out interactions and applies the promotion policy of params.yaml, rule
by rule; the verdict is written on the release.

* **Runs** when `plmrec://challenger` is updated, and daily.
* **Updates** `plmrec://champion` when the challenger is promoted. With `policy.approval: human`
  the promotion waits for a person, who answers on the task's page.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from plmrec_dagkit import CHALLENGER, CHAMPION, StageOperator, dag_defaults


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 5 * * *", timezone="UTC", run_immediately=timedelta(0)),
        assets=[CHALLENGER],
    ),
    doc_md=__doc__,
    **dag_defaults(deadline=timedelta(hours=3)),
)
def plmrec_ab_evaluate() -> None:
    @task.branch
    def next_step(verdict: dict[str, Any]) -> str | None:
        if verdict["decision"] != "promote":
            return None
        return "approve" if verdict["approval"] == "human" else "promote"

    evaluate = StageOperator(
        task_id="evaluate", call="evaluate.evaluate", arguments={"promote": False}
    )
    approve = ApprovalOperator(
        task_id="approve",
        subject="Promote release {{ ti.xcom_pull(task_ids='evaluate')['release'] }}?",
        body="{{ ti.xcom_pull(task_ids='evaluate')['reasons'] | join('\n') }}",
    )
    promote = StageOperator(
        task_id="promote",
        call="evaluate.promote",
        arguments={"version": "{{ ti.xcom_pull(task_ids='evaluate')['release'] }}"},
        outlets=[CHAMPION],
        trigger_rule="none_failed_min_one_success",
    )
    step: Any = next_step(evaluate.output)  # type: ignore[arg-type]
    step >> approve >> promote
    step >> promote


plmrec_ab_evaluate()
