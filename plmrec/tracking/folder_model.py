"""A folder with a fitted state as a logged model that ``mlflow.pyfunc.load_model`` can load."""

from __future__ import annotations

import importlib.metadata
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import mlflow.pyfunc
import pandas as pd
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.tracking.client import MlflowClient
from mlflow.types.schema import Array, ColSpec, ParamSchema, ParamSpec, Schema

from plmrec.tracking.connection import translated
from plmrec.tracking.runs import Run, flatten

_SCRIPT: Final = Path(__file__).with_name("served_folder.py")
_STATE: Final = "state"

Column = tuple[str, str, bool]  # name, MLflow type ("string", "long", "double"), is a list


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """What a logged model is asked and what it answers.

    Attributes:
        loader: ``module:function``; the function gets the folder and returns the one that answers.
        inputs: Columns of the question.
        outputs: Columns of the answer.
        params: Name, type and default of what one call can set.
        example: A question, rows as mappings.
        packages: Installed packages that loading needs; they are pinned to what is here.
    """

    loader: str
    inputs: Sequence[Column]
    outputs: Sequence[Column]
    params: Sequence[tuple[str, str, Any]]
    example: Sequence[Mapping[str, Any]]
    packages: Sequence[str]

    def signature(self) -> ModelSignature:
        """Return it in MLflow's terms."""
        return ModelSignature(
            inputs=Schema([_column(each) for each in self.inputs]),
            outputs=Schema([_column(each) for each in self.outputs]),
            params=ParamSchema([ParamSpec(name, kind, value) for name, kind, value in self.params]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedFolder:
    """Where a logged model went: its id and the URL of its artifacts."""

    model_id: str
    source: str


def log_folder(
    run: Run,
    folder: Path,
    *,
    name: str,
    interface: Interface,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
) -> LoggedFolder:
    """Log a folder as a model of a run.

    Args:
        run: The open run that made it.
        folder: Holds plain files such as safetensors and JSON; nothing is pickled.
        name: Name of the logged model.
        interface: How it is asked.
        params: Nested parameters to show with the model.
        tags: Tags of the model; empty values are left out.
    """
    client = run.client
    with translated("log the model"):
        model = client.create_logged_model(
            run.experiment_id,
            name=name,
            source_run_id=run.run_id,
            tags={k: v for k, v in tags.items() if v},
            params=flatten(params),
            model_type="recommender",
        )
        client.log_outputs(run.run_id, [LoggedModelOutput(model.model_id, 0)])
        described = Model(
            artifact_path=model.artifact_location, run_id=run.run_id, model_id=model.model_id
        )
        with tempfile.TemporaryDirectory(prefix="plmrec-model-") as temporary:
            saved = Path(temporary) / "model"
            _save(folder, saved, interface, described)
            client.log_model_artifacts(model.model_id, str(saved))
        client.finalize_logged_model(model.model_id, "READY")
    return LoggedFolder(model_id=model.model_id, source=model.artifact_location)


def fetch_folder(client: MlflowClient, source: str, target: Path) -> None:
    """Copy the state folder of a logged model out of MLflow.

    Args:
        client: From ``connect``.
        source: URL of the model's artifacts, from its version in the registry.
        target: Folder to fill; its old content is replaced.
    """
    with tempfile.TemporaryDirectory(prefix="plmrec-fetch-") as temporary:
        with translated("download a model"):
            got = download_artifacts(
                artifact_uri=f"{source.rstrip('/')}/artifacts",
                dst_path=temporary,
                tracking_uri=client.tracking_uri,
            )
        (state,) = (entry for entry in Path(got).iterdir() if entry.is_dir())
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
        shutil.copytree(state, beside)
        shutil.rmtree(target, ignore_errors=True)
        beside.replace(target)


def _save(folder: Path, target: Path, interface: Interface, described: Model) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        mlflow.pyfunc.save_model(
            str(target),
            python_model=str(_SCRIPT),
            artifacts={_STATE: str(folder)},
            signature=interface.signature(),
            input_example=pd.DataFrame([dict(row) for row in interface.example]),
            pip_requirements=[
                f"{package}=={importlib.metadata.version(package)}"
                for package in interface.packages
            ],
            model_config={"loader": interface.loader},
            mlflow_model=described,
        )
    for cache in target.rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)


def _column(column: Column) -> ColSpec:
    name, kind, is_list = column
    return ColSpec(Array(kind) if is_list else kind, name)
