from __future__ import annotations

from plmrec.app.provenance import airflow_run, git_commit


def test_the_commit_named_by_the_environment_wins(monkeypatch):
    monkeypatch.setenv("PLMREC_GIT_COMMIT", "abc123")
    assert git_commit() == "abc123"


def test_the_airflow_run_is_dag_and_run_inside_a_task_and_empty_outside(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CTX_DAG_RUN_ID", raising=False)
    assert airflow_run() == ""
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "plmrec_train")
    monkeypatch.setenv("AIRFLOW_CTX_DAG_RUN_ID", "manual__2026")
    assert airflow_run() == "plmrec_train/manual__2026"
