"""Checks of the platform by using it: a vector, an MLflow run, a task."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from tempfile import TemporaryDirectory
from typing import Any, Final

from plmrec.errors import PlmrecError, ServiceUnavailableError
from plmrec.platform import airflow_services, control, http, state
from plmrec.platform.chain import CHAIN
from plmrec.platform.folder import PlatformFolder
from plmrec.platform.startup import airflow_client, airflow_health, is_ready
from plmrec.settings import Settings
from plmrec.stores.server import probe_vectors

_EXPERIMENT: Final = "plmrec-doctor"
_PROBE_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of one check.

    Attributes:
        part: What was checked.
        ok: Whether it works.
        finding: What was done, or what is wrong; one line.
        hint: What to do; empty when it works.
        seconds: How long the check took.
    """

    part: str
    ok: bool
    finding: str
    hint: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the finding for a table or JSON."""
        return asdict(self)


def examine(
    settings: Settings, *, say: Callable[[str], None] = lambda line: None
) -> Iterator[Finding]:
    """Check every part; a check that fails does not keep the others from being made."""
    http.bypass_proxy()
    os.environ.update({"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"})
    folder = PlatformFolder(settings)
    for part, check in _CHECKS.items():
        begun = time.monotonic()
        ok, hint = True, ""
        try:
            finding = check(folder, settings)
        except PlmrecError as err:
            ok, finding, hint = False, err.message, err.hint
        seconds = round(time.monotonic() - begun, 2)
        say(f"{part}: {'ok' if ok else 'FAILED'}")
        yield Finding(part=part, ok=ok, finding=finding, hint=hint, seconds=seconds)


def _check_files(folder: PlatformFolder, settings: Settings) -> str:
    if not folder.root.exists():
        raise ServiceUnavailableError(
            f"expected a platform in {folder.workspace}, found none", hint="Run `plmrec up`"
        )
    with TemporaryDirectory(dir=folder.workspace):
        pass
    private = ("secrets.json", "endpoints.json", "state.json", "airflow/airflow.cfg")
    for name in private:
        with suppress(FileNotFoundError):
            mode = stat.S_IMODE(folder.path(name).stat().st_mode)
            if mode & 0o077:
                raise ServiceUnavailableError(
                    f"{name} can be read by others (mode {mode:o})",
                    hint=f"chmod 600 {folder.path(name)}",
                )
    return f"{folder.workspace} can be written; secrets are private"


def _check_processes(folder: PlatformFolder, settings: Settings) -> str:
    rows = control.status(settings)
    wrong = [row for row in rows if row["state"] in {"stopped", "died"}]
    if wrong:
        names = ", ".join(f"{row['service']} ({row['state']})" for row in wrong)
        raise ServiceUnavailableError(f"not running: {names}", hint="Start them with `plmrec up`")
    return f"{len(rows)} services run"


def _check_postgres(folder: PlatformFolder, settings: Settings) -> str:
    url = (
        settings.database_url.get_secret_value()
        if settings.database_url is not None
        else state.endpoint(folder, "database_url")
    )
    if not url:
        raise ServiceUnavailableError("no server was ever started", hint="Run `plmrec up`")
    return probe_vectors(url)


def _check_mlflow(folder: PlatformFolder, settings: Settings) -> str:
    uri = settings.mlflow_tracking_uri or state.endpoint(folder, "mlflow_tracking_uri")
    if not uri:
        raise ServiceUnavailableError("no MLflow was ever started", hint="Run `plmrec up`")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri=uri)
    try:
        found = client.get_experiment_by_name(_EXPERIMENT)
        experiment = found.experiment_id if found else client.create_experiment(_EXPERIMENT)
        run = client.create_run(experiment).info.run_id
        client.log_metric(run, "probe", 1.0)
        client.log_text(run, "probe", "probe.txt")
        value = client.get_run(run).data.metrics.get("probe")
        files = [file.path for file in client.list_artifacts(run)]
        client.delete_run(run)
    except (MlflowException, OSError) as err:
        raise ServiceUnavailableError(
            f"MLflow cannot log a run: {str(err).strip().splitlines()[0][:200]}",
            hint="See `plmrec logs mlflow`",
        ) from err
    if value != 1.0 or files != ["probe.txt"]:
        raise ServiceUnavailableError(
            f"MLflow: expected metric 1.0 and probe.txt, got {value} and {files}"
        )
    return "a run with a metric and a file was logged, read and deleted"


def _check_airflow(folder: PlatformFolder, settings: Settings) -> str:
    client, health = airflow_client(folder), airflow_health(folder)
    for name, service in state.live_services(folder).items():
        if name.startswith("airflow") and not is_ready(service, health):
            raise ServiceUnavailableError(
                f"{name} runs, but does not report", hint=f"See `plmrec logs {name}`"
            )
    if errors := client.import_errors():
        raise ServiceUnavailableError(
            f"{len(errors)} DAG files cannot be read: {errors[0]}",
            hint="See `plmrec logs airflow-dag-processor`",
        )
    client.wait_for_dag("plmrec_probe")
    missing = [dag for dag in CHAIN if not client.has_dag(dag)]
    if missing:
        raise ServiceUnavailableError(
            f"expected six DAGs, missing {', '.join(missing)}",
            hint=f"They belong in {airflow_services.home_folder() / 'dags'}",
        )
    return "scheduler, DAG processor and triggerer report; the six DAGs are there"


def _check_task(folder: PlatformFolder, settings: Settings) -> str:
    client = airflow_client(folder)
    client.wait_for_dag("plmrec_probe")
    run_id = client.trigger("plmrec_probe")
    run = client.wait_for_run("plmrec_probe", run_id, timeout_s=_PROBE_TIMEOUT_S)
    if run.state != "success":
        lines = [
            line
            for task in client.task_runs("plmrec_probe", run_id)
            for line in client.log_lines("plmrec_probe", run_id, task)
        ]
        raise ServiceUnavailableError(
            f"the probe task ended as {run.state}: {lines[-1] if lines else 'no log'}",
            hint="See `plmrec logs airflow-scheduler`",
        )
    return "the scheduler ran a task to its end"


_CHECKS: Final = {
    "files": _check_files,
    "processes": _check_processes,
    "postgres": _check_postgres,
    "mlflow": _check_mlflow,
    "airflow": _check_airflow,
    "task": _check_task,
}
