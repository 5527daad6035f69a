"""A bench in MLflow: one run with tables and plots, and one nested run per model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import plmrec
from plmrec.app.context import Context, tracking_uri
from plmrec.app.inputs import Inputs
from plmrec.app.provenance import airflow_run, git_commit
from plmrec.app.releases import artifact_root, mlflow_run_url

if TYPE_CHECKING:
    from plmrec.tracking.runs import Run

EXPERIMENT: Final = "plmrec-bench"
_COSTS: Final = ("tune_s", "fit_s", "score_s", "peak_mb")
_MAX_LEAVES: Final = 60  # of a recipe, to be logged as parameters; a longer one is in bench.json


def check_store(context: Context) -> None:
    """Make sure that MLflow answers, before hours of work.

    Raises:
        ServiceUnavailableError: It does not.
    """
    from plmrec.tracking.connection import connect

    connect(tracking_uri(context))


def log_bench(
    context: Context,
    inputs: Inputs,
    result: Mapping[str, Any],
    files: Mapping[str, str],
) -> dict[str, str]:
    """Log a bench.

    Args:
        context: Whose MLflow store.
        inputs: What the bench read.
        result: See ``bench_quality``.
        files: Texts to keep with the run, by the name of their file.

    Returns:
        ``run_id`` and ``url``; the latter is empty when no server shows any run.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
    """
    from plmrec.tracking.connection import connect
    from plmrec.tracking.runs import open_run

    tags = {
        "dataset_digest": inputs.dataset_digest,
        "encoder_fingerprint": inputs.fingerprint,
        "protocol": str(result["protocol"]),
        "split_digest": str(result["split_digest"]),
        "git_commit": git_commit(),
        "airflow_run": airflow_run(),
        "plmrec_version": plmrec.__version__,
    }
    with open_run(
        connect(tracking_uri(context)),
        EXPERIMENT,
        name=f"bench {result['dataset']} {result['protocol']}",
        artifact_root=artifact_root(context),
        tags=tags,
    ) as run:
        run.log_params(
            {name: result[name] for name in ("dataset", "protocol", "share", "k", "seed", "seeds")}
        )
        run.log_dataset(
            name=Path(inputs.source).name or "dataset",
            digest=inputs.dataset_digest,
            source={"path": inputs.source, "dvc_digest": inputs.dataset_digest},
            context="evaluate",
        )
        for model in result["models"]:
            _log_model(run, model, result)
        reference = next((m for m in result["models"] if m["model"] == result["reference"]), None)
        run.log_metrics(_finite(reference["metrics"]) if reference else {})
        run.log_json(result, "bench.json")
        for name, text in files.items():
            run.log_text(text, name)
    return {"run_id": run.run_id, "url": mlflow_run_url(context, run.run_id)}


def _log_model(run: Run, model: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    from plmrec.tracking.runs import flatten

    recipe = flatten(model["recipe"])
    compared = [
        each
        for each in (*result["comparisons"], *result["ablation"])
        if each["model"] == model["model"]
    ]
    metrics = {**model.get("metrics", {}), **{name: model[name] for name in _COSTS}}
    for versus in compared:
        metrics |= {
            "difference": versus["difference"][0],
            "ratio": versus["ratio"][0],
            "p_holm": versus["p_holm"],
        }
    run.child(
        model["model"],
        params={"family": model["family"], **(recipe if len(recipe) <= _MAX_LEAVES else {})},
        metrics=_finite(metrics),
        tags={
            "family": model["family"],
            "status": model["status"],
            "reason": model["reason"],
            "compared_with": str(result["reference"]) if compared else "",
        },
    )


def _finite(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {k: float(v) for k, v in metrics.items() if v is not None and math.isfinite(v)}
