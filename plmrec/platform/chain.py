"""The chain under the real scheduler: trigger it, follow its DAG runs, know when it is through."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final

from plmrec.errors import ServiceUnavailableError
from plmrec.platform.airflow import FINISHED, AirflowClient, DagRun, TaskRun

CHAIN: Final = (
    "plmrec_validate",
    "plmrec_transcribe",
    "plmrec_embed",
    "plmrec_train",
    "plmrec_ab_evaluate",
    "plmrec_refresh_index",
)
_POLL_S: Final = 0.7
_QUIET_S: Final = 1.5  # an asset event becomes a DAG run within one turn of the scheduler
_LOG_LINES: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far one DAG of the chain is.

    Attributes:
        state: ``waiting`` before its first run, else the state of its latest run.
        done: Tasks of that run that ended, mapped ones each.
        total: Tasks of that run that are known so far.
        active: Ids of the tasks that run now.
        seconds: Since that run began, or how long it took.
        runs: How many runs there were since the trigger.
    """

    dag_id: str
    state: str = "waiting"
    done: int = 0
    total: int = 0
    active: tuple[str, ...] = ()
    seconds: float = 0.0
    runs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The run that broke the chain: which task, and what it logged last."""

    dag_id: str
    run_id: str
    task_id: str
    lines: tuple[str, ...] = ()


class ChainRun:
    """One pass of the chain, from the trigger of ``plmrec_validate`` on.

    Args:
        client: Session with Airflow.
    """

    def __init__(self, client: AirflowClient) -> None:
        self._client = client
        self._before: set[tuple[str, str]] = set()
        self._first = ""
        self._tasks: dict[tuple[str, str], list[TaskRun]] = {}

    def trigger(self, conf: dict[str, object]) -> None:
        """Start ``plmrec_validate`` with this configuration.

        Raises:
            ServiceUnavailableError: One of the six DAGs is not there.
        """
        for dag_id in CHAIN:
            self._client.wait_for_dag(dag_id)
        self._before = {(run.dag_id, run.run_id) for run in self._client.dag_runs()}
        self._first = self._client.trigger(CHAIN[0], conf)

    def follow(
        self, *, timeout_s: float, on_poll: Callable[[Sequence[Step]], None]
    ) -> Failure | None:
        """Wait until the chain is through and idle, or broken.

        Args:
            timeout_s: Longest wait.
            on_poll: Called with the steps, in the order of the chain, at every look.

        Raises:
            ServiceUnavailableError: It is neither through nor broken in time.
        """
        deadline = time.monotonic() + timeout_s
        through_since: float | None = None
        while True:
            runs = self._new_runs()
            steps = [self._step(dag_id, runs) for dag_id in CHAIN]
            on_poll(steps)
            broken = first_failure(runs, first=self._first)
            if broken is not None:
                return self._failure(broken)
            now = time.monotonic()
            if not is_through(runs, first=self._first, promoted=self._promoted(runs)):
                through_since = None
            elif through_since is None:
                through_since = now
            elif now - through_since >= _QUIET_S:
                return None
            if now > deadline:
                states = ", ".join(f"{step.dag_id} {step.state}" for step in steps)
                raise ServiceUnavailableError(
                    f"chain: expected to be through within {timeout_s:.0f} s: {states}",
                    hint="Look at the runs in the Airflow UI (`plmrec up`)",
                )
            time.sleep(_POLL_S)

    def _new_runs(self) -> list[DagRun]:
        runs = self._client.dag_runs()
        return [run for run in runs if (run.dag_id, run.run_id) not in self._before]

    def _step(self, dag_id: str, runs: Sequence[DagRun]) -> Step:
        own = [run for run in runs if run.dag_id == dag_id]
        if dag_id == CHAIN[0]:
            own = [run for run in own if run.run_id == self._first]
        if not own:
            return Step(dag_id=dag_id)
        latest = own[-1]
        tasks = self._tasks_of(latest)
        end = latest.end or datetime.now(timezone.utc)
        return Step(
            dag_id=dag_id,
            state=latest.state,
            done=sum(task.state in _TASK_ENDED for task in tasks),
            total=len(tasks),
            active=tuple(sorted({task.task_id for task in tasks if task.state == "running"})),
            seconds=(end - latest.start).total_seconds() if latest.start else 0.0,
            runs=len(own),
        )

    def _tasks_of(self, run: DagRun) -> list[TaskRun]:
        """Tasks of a run; those of a finished run are asked for once."""
        key = (run.dag_id, run.run_id)
        if key not in self._tasks:
            tasks = self._client.task_runs(*key)
            if run.state not in FINISHED:
                return tasks
            self._tasks[key] = tasks
        return self._tasks[key]

    def _promoted(self, runs: Iterable[DagRun]) -> datetime | None:
        """When the latest promotion of this pass was made; None when there was none.

        The end of the task counts, not that of its run: what it triggers may begin in between.
        """
        ends = [
            task.end
            for run in runs
            if run.dag_id == "plmrec_ab_evaluate" and run.state == "success"
            for task in self._tasks_of(run)
            if task.task_id == "promote" and task.state == "success" and task.end is not None
        ]
        return max(ends, default=None)

    def _failure(self, run: DagRun) -> Failure:
        tasks = self._client.task_runs(run.dag_id, run.run_id)
        failed = [task for task in tasks if task.state == "failed"]
        if not failed:
            return Failure(dag_id=run.dag_id, run_id=run.run_id, task_id="")
        lines = self._client.log_lines(run.dag_id, run.run_id, failed[0])
        kept = [line for line in lines if line.strip() and not line.startswith("::")]
        return Failure(
            dag_id=run.dag_id,
            run_id=run.run_id,
            task_id=failed[0].task_id,
            lines=tuple(kept[-_LOG_LINES:]),
        )


_TASK_ENDED: Final = frozenset(
    {"success", "failed", "skipped", "upstream_failed", "removed"},
)


def first_failure(runs: Sequence[DagRun], *, first: str) -> DagRun | None:
    """Find the run that broke the chain.

    Args:
        runs: Runs since the trigger, oldest first.
        first: Id of the run that was triggered; other runs of that DAG are not ours, and neither
            are runs that only the clock started.
    """
    for run in runs:
        is_ours = run.run_id == first or run.dag_id != CHAIN[0]
        by_clock = run.run_id.startswith("scheduled__")
        if run.state == "failed" and run.dag_id in CHAIN and is_ours and not by_clock:
            return run
    return None


def is_through(runs: Sequence[DagRun], *, first: str, promoted: datetime | None) -> bool:
    """Tell whether every DAG has done its part and nothing is under way.

    Each DAG has a successful run that began after the one before it did; where a release was
    promoted, the index was refreshed after that; nothing is queued or running.

    Args:
        runs: Runs since the trigger, oldest first.
        first: Id of the run of ``plmrec_validate`` that was triggered.
        promoted: When a release was last promoted; None when none was.
    """
    if any(run.state not in FINISHED for run in runs if run.dag_id in CHAIN):
        return False
    starts: Mapping[str, datetime] = {
        run.dag_id: run.start
        for run in runs
        if run.state == "success"
        and run.start is not None
        and (run.dag_id != CHAIN[0] or run.run_id == first)
    }
    if set(starts) != set(CHAIN):
        return False
    order = [starts[dag_id] for dag_id in CHAIN[:-1]]
    if order != sorted(order):
        return False
    refreshed = starts["plmrec_refresh_index"]
    return refreshed >= (promoted or starts["plmrec_embed"])
