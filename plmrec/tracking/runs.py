"""Runs: parameters, metrics, the dataset and small artifacts of one training or evaluation."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from plmrec.errors import PlmrecError
from plmrec.tracking.connection import translated

_MAX_PARAMS: Final = 100  # per request, MLflow's limit
_MAX_DIGEST: Final = 36
_REFUSED: Final = re.compile(r"[^\w.\- /:]")
_DATASET_CONTEXT: Final = "mlflow.data.context"


class Run:
    """One open MLflow run; see ``open_run``."""

    def __init__(self, client: MlflowClient, run_id: str, experiment_id: str) -> None:
        self.client = client
        self.run_id = run_id
        self.experiment_id = experiment_id

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log a nested mapping, one parameter per leaf, named by its dotted path."""
        batch = _params(params)
        for start in range(0, len(batch), _MAX_PARAMS):
            with translated("log parameters"):
                self.client.log_batch(self.run_id, params=batch[start : start + _MAX_PARAMS])

    def log_metrics(self, metrics: Mapping[str, float], *, model_id: str | None = None) -> None:
        """Log metrics; a value that is not finite is left out.

        Args:
            metrics: Named as plmrec names them, such as ``ndcg@10``; MLflow refuses ``@``, so
                it shows them as ``ndcg_at_10``.
            model_id: The logged model that was measured, to show them beside it too.
        """
        with translated("log metrics"):
            self.client.log_batch(self.run_id, metrics=_metrics(metrics, model_id))

    def log_dataset(
        self, *, name: str, digest: str, source: Mapping[str, Any], context: str
    ) -> None:
        """Log what the run read as a dataset input.

        Args:
            name: Name of the dataset.
            digest: DVC digest of the dataset's folder; at most 36 characters.
            source: Where it can be had again, JSON values.
            context: What for: ``train`` or ``evaluate``.
        """
        dataset = Dataset(
            name=name,
            digest=digest[:_MAX_DIGEST],
            source_type="dvc",
            source=json.dumps(dict(source), sort_keys=True),
        )
        tagged = DatasetInput(dataset, [InputTag(_DATASET_CONTEXT, context)])
        with translated("log the dataset"):
            self.client.log_inputs(self.run_id, [tagged])

    def log_json(self, value: Any, file: str) -> None:
        """Write a JSON value as an artifact of the run."""
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str)
        self.log_text(text + "\n", file)

    def log_text(self, text: str, file: str) -> None:
        """Write a text as an artifact of the run."""
        with translated("log an artifact"):
            self.client.log_text(self.run_id, text, file)

    def artifact_url(self, path: str) -> str:
        """URL of a file or folder among the run's artifacts."""
        with translated("read the run"):
            return f"{self.client.get_run(self.run_id).info.artifact_uri}/{path}"

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags on the run."""
        with translated("tag the run"):
            self.client.log_batch(self.run_id, tags=[RunTag(k, v) for k, v in tags.items()])

    def child(
        self,
        name: str,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Log a finished run beneath this one, in three requests.

        Args:
            name: Name of the run.
            params: A nested mapping of at most 100 leaves; see ``log_params``.
            metrics: See ``log_metrics``.
            tags: Tags; empty values are left out.

        Returns:
            Id of the run.
        """
        texts = {k: v for k, v in (tags or {}).items() if v} | {MLFLOW_PARENT_RUN_ID: self.run_id}
        with translated("log a nested run"):
            run = self.client.create_run(self.experiment_id, run_name=name, tags=texts)
            self.client.log_batch(
                run.info.run_id, metrics=_metrics(metrics or {}), params=_params(params or {})
            )
            self.client.set_terminated(run.info.run_id, "FINISHED")
        return str(run.info.run_id)


@contextmanager
def open_run(
    client: MlflowClient,
    experiment: str,
    *,
    name: str,
    artifact_root: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Iterator[Run]:
    """Open a run; it ends as FINISHED, or as FAILED when the block raises.

    Args:
        client: From ``connect``.
        experiment: Name of the experiment, created when missing.
        name: Name of the run.
        artifact_root: URL under which a new experiment keeps its artifacts; None leaves it to
            the server.
        tags: Tags of the run; empty values are left out.
    """
    with translated("open a run"):
        experiment_id = _experiment_id(client, experiment, artifact_root)
        run_id = client.create_run(
            experiment_id,
            run_name=name,
            tags={k: v for k, v in (tags or {}).items() if v},
        ).info.run_id
    status = "FAILED"
    try:
        yield Run(client, run_id, experiment_id)
        status = "FINISHED"
    finally:
        _end(client, run_id, status)


def experiment_of(client: MlflowClient, run_id: str) -> str:
    """Id of the experiment that a run belongs to; empty when the run is gone."""
    try:
        return str(client.get_run(run_id).info.experiment_id)
    except MlflowException as err:
        if err.error_code != "RESOURCE_DOES_NOT_EXIST":
            with translated("read the run"):
                raise
        return ""


def metric_name(name: str) -> str:
    """Spell a metric as MLflow allows it; other characters it refuses become ``_``.

    Example:
        >>> metric_name("ndcg@10")
        'ndcg_at_10'
        >>> metric_name("gap/income (k$)")
        'gap/income _k__'
    """
    return _REFUSED.sub("_", name.replace("@", "_at_"))


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Turn a nested mapping into dotted names and texts; lists are written as JSON.

    Example:
        >>> flatten({"seed": 7, "index": {"m": 16}})
        {'seed': '7', 'index.m': '16'}
    """
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat


def _params(params: Mapping[str, Any]) -> list[Param]:
    return [Param(key, value) for key, value in sorted(flatten(params).items())]


def _metrics(metrics: Mapping[str, float], model_id: str | None = None) -> list[Metric]:
    now_ms = int(time.time() * 1000)
    return [
        Metric(metric_name(name), float(value), now_ms, 0, model_id=model_id)
        for name, value in metrics.items()
        if math.isfinite(value)
    ]


def _experiment_id(client: MlflowClient, name: str, artifact_root: str | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = f"{artifact_root.rstrip('/')}/{name}" if artifact_root else None
    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException as err:
        if err.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        created_by_other = client.get_experiment_by_name(name)
        if created_by_other is None:  # deleted: its name stays taken until it is purged
            raise
        return str(created_by_other.experiment_id)


def _end(client: MlflowClient, run_id: str, status: str) -> None:
    try:
        with translated("end the run"):
            client.set_terminated(run_id, status)
    except PlmrecError:
        if status == "FINISHED":
            raise  # after a failure, the first error is the one to show
