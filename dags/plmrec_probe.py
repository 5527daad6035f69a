"""One small task, for `plmrec doctor`: does the scheduler run tasks to their end?"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=4,
    tags=["plmrec", "platform"],
    default_args={"owner": "plmrec", "retries": 0},
    dagrun_timeout=timedelta(minutes=5),
    doc_md=__doc__,
)
def plmrec_probe() -> None:
    @task(execution_timeout=timedelta(minutes=2))
    def probe() -> str:
        """Report the installed version from inside a task."""
        from plmrec import __version__

        return str(__version__)

    probe()


plmrec_probe()
