"""Airflow through its REST API: trigger DAGs, follow their runs, read their logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from plmrec.errors import ServiceUnavailableError
from plmrec.platform import http

FINISHED: Final = frozenset({"success", "failed"})
_TOKEN_LIFE_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DagRun:
    """One run of a DAG.

    Attributes:
        state: ``queued``, ``running``, ``success`` or ``failed``.
        queued_at: When it was created.
        start: When it began; None while it is queued.
        end: When it ended; None before.
    """

    dag_id: str
    run_id: str
    state: str
    queued_at: datetime | None
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """One task of a run; a mapped task has one per map index.

    Attributes:
        state: Airflow's state; empty while the task is not scheduled yet.
        tries: Number of the current try, from 1.
        map_index: -1 when the task is not mapped.
        end: When it ended; None before.
    """

    task_id: str
    state: str
    tries: int
    map_index: int
    end: datetime | None = None


class AirflowClient:
    """A session with Airflow's API server; logs in when it must.

    Args:
        url: Such as ``http://127.0.0.1:8080``.
        user: Of the simple auth manager.
        password: Of that user.
    """

    def __init__(self, url: str, *, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._login = {"username": user, "password": password}
        self._token = ""
        self._token_until = 0.0

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call ``/api/v2<path>``.

        Raises:
            HttpStatusError: Airflow refused.
            ServiceUnavailableError: Airflow did not answer.
        """
        if time.monotonic() > self._token_until:
            answer = http.request("POST", f"{self.url}/auth/token", body=self._login)
            self._token = answer["access_token"]
            self._token_until = time.monotonic() + _TOKEN_LIFE_S
        return http.request(method, f"{self.url}/api/v2{path}", body=body, token=self._token)

    def health(self) -> dict[str, dict[str, Any]]:
        """State of scheduler, dag_processor, triggerer and metadatabase, each with ``status``."""
        found: dict[str, dict[str, Any]] = http.request("GET", f"{self.url}/api/v2/monitor/health")
        return found

    def set_pool(self, name: str, slots: int) -> None:
        """Create a pool or change its number of slots."""
        body = {"name": name, "slots": slots, "description": "plmrec", "include_deferred": False}
        try:
            self.call("POST", "/pools", body)
        except http.HttpStatusError as err:
            if err.status != 409:
                raise
            self.call("PATCH", f"/pools/{quote(name)}?update_mask=slots", body)

    def has_dag(self, dag_id: str) -> bool:
        """Tell whether the DAG processor has read a DAG."""
        try:
            return self.call("GET", f"/dags/{quote(dag_id)}")["is_stale"] is False
        except http.HttpStatusError as err:
            if err.status != 404:
                raise
            return False

    def import_errors(self) -> list[str]:
        """Files of DAGs that cannot be read, each with the last line of its error."""
        found = self.call("GET", "/importErrors?limit=20")["import_errors"]
        return [f"{e['filename']}: {e['stack_trace'].strip().splitlines()[-1]}" for e in found]

    def wait_for_dag(self, dag_id: str, *, timeout_s: float = 60.0) -> None:
        """Wait until a DAG can be triggered.

        Raises:
            ServiceUnavailableError: It was not read in time; the message has the import errors.
        """
        deadline = time.monotonic() + timeout_s
        while not self.has_dag(dag_id):
            if time.monotonic() > deadline:
                errors = self.import_errors()
                raise ServiceUnavailableError(
                    f"airflow: expected the DAG {dag_id}, found none",
                    hint="; ".join(errors) or "See `plmrec logs airflow-dag-processor`",
                )
            time.sleep(0.5)

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a DAG run by hand, unpausing the DAG; return the run's id."""
        self.call("PATCH", f"/dags/{quote(dag_id)}?update_mask=is_paused", {"is_paused": False})
        body = {"logical_date": None, "conf": conf or {}}
        answer = self.call("POST", f"/dags/{quote(dag_id)}/dagRuns", body)
        return str(answer["dag_run_id"])

    def dag_run(self, dag_id: str, run_id: str) -> DagRun:
        """One run of a DAG."""
        return _dag_run(self.call("GET", f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"))

    def dag_runs(self, prefix: str = "plmrec_", *, limit: int = 100) -> list[DagRun]:
        """Latest runs of the DAGs whose id begins with a prefix, oldest first."""
        query = f"limit={limit}&order_by=-run_after"
        found = self.call("GET", f"/dags/~/dagRuns?{query}")["dag_runs"]
        return [_dag_run(run) for run in reversed(found) if run["dag_id"].startswith(prefix)]

    def task_runs(self, dag_id: str, run_id: str) -> list[TaskRun]:
        """Tasks of a run, mapped ones each."""
        path = f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances?limit=100"
        found = self.call("GET", path)["task_instances"]
        return [
            TaskRun(
                task_id=task["task_id"],
                state=task["state"] or "",
                tries=int(task["try_number"] or 0),
                map_index=int(task["map_index"]),
                end=_time(task.get("end_date")),
            )
            for task in found
        ]

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        *,
        timeout_s: float,
        on_poll: Callable[[DagRun], None] | None = None,
    ) -> DagRun:
        """Wait until a run ends.

        Raises:
            ServiceUnavailableError: It did not end in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            run = self.dag_run(dag_id, run_id)
            if on_poll is not None:
                on_poll(run)
            if run.state in FINISHED:
                return run
            if time.monotonic() > deadline:
                raise ServiceUnavailableError(
                    f"airflow: expected {dag_id} to end within {timeout_s:.0f} s, is {run.state}",
                    hint="See `plmrec logs airflow-scheduler`",
                )
            time.sleep(0.5)

    def log_lines(self, dag_id: str, run_id: str, task: TaskRun) -> list[str]:
        """What a task's latest try logged, one event a line."""
        path = (
            f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances/{quote(task.task_id)}"
            f"/logs/{max(task.tries, 1)}?full_content=true&map_index={task.map_index}"
        )
        content = self.call("GET", path).get("content", [])
        if isinstance(content, str):
            return content.splitlines()
        return [line for entry in content for line in _log_lines(entry)]


def _log_lines(entry: Any) -> list[str]:
    """Lines of one structured log event, the errors behind it included."""
    if not isinstance(entry, dict):
        return str(entry).splitlines()
    lines = str(entry.get("event", "")).splitlines()
    for error in entry.get("error_detail") or []:
        lines.append(f"{error.get('exc_type')}: {error.get('exc_value')}")
    return lines


def _dag_run(values: dict[str, Any]) -> DagRun:
    return DagRun(
        dag_id=values["dag_id"],
        run_id=values["dag_run_id"],
        state=values["state"],
        queued_at=_time(values.get("queued_at")),
        start=_time(values.get("start_date")),
        end=_time(values.get("end_date")),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
