"""A training in MLflow: its run, its fitted state as a model, its versions in the registry."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import plmrec
from plmrec.app.context import Context, tracking_uri
from plmrec.app.encoder_registry import register_encoder
from plmrec.app.inputs import Inputs
from plmrec.app.provenance import airflow_run, git_commit
from plmrec.app.releases import artifact_root, open_registry, state_cache
from plmrec.releases.life import MODEL
from plmrec.stores.releases import Release
from plmrec.stores.state_folder import write_state

if TYPE_CHECKING:
    from plmrec.histories import TrainingData
    from plmrec.stages.train import TrainResult
    from plmrec.tracking.runs import Run

log = logging.getLogger(__name__)

EXPERIMENT: Final = "plmrec-train"
_TRIAL_METRICS: Final = ("n_users", "seconds")
_AT_ONCE: Final = 4  # nested runs
_PACKAGES: Final = (
    "mlflow",
    "numpy",
    "pandas",
    "plmrec",
    "pydantic",
    "safetensors",
    "scikit-learn",
    "scipy",
    "torch",
)


def register_training(
    context: Context, inputs: Inputs, data: TrainingData, result: TrainResult
) -> Release:
    """Log a training and register what it fitted.

    Returns:
        The release, for the table of releases; it is written nowhere else but in MLflow yet.
    """
    from plmrec.tracking.connection import connect
    from plmrec.tracking.runs import open_run

    taxonomy = inputs.taxonomy
    tags = {
        "dataset_digest": inputs.dataset_digest,
        "encoder_fingerprint": inputs.fingerprint,
        "taxonomy_version": "" if taxonomy is None else str(taxonomy.version),
        "taxonomy_digest": "" if taxonomy is None else taxonomy.digest,
        "git_commit": git_commit(),
        "airflow_run": airflow_run(),
        "plmrec_version": plmrec.__version__,
    }
    with open_run(
        connect(tracking_uri(context)),
        EXPERIMENT,
        name=f"train {inputs.dataset_digest[:8]}",
        artifact_root=artifact_root(context),
        tags=tags,
    ) as run:
        _log_training(run, context, inputs, result)
        _register_encoder(run, context, inputs)
        return _register(run, context, inputs, data, result, tags)


def _log_training(run: Run, context: Context, inputs: Inputs, result: TrainResult) -> None:
    run.log_params(context.params.model_dump(mode="json"))
    run.log_dataset(
        name=Path(inputs.source).name or "dataset",
        digest=inputs.dataset_digest,
        source={"path": inputs.source, "dvc_digest": inputs.dataset_digest},
        context="train",
    )
    run.log_json(result.recipe, "recipe.json")
    run.log_json(result.validation, "validation.json")
    run.log_json(result.trials, "trials.json")
    out_of_budget = ", ".join(_out_of_budget(result))
    run.set_tags(
        {
            "split_digest": result.split_digest,
            "split_kind": result.split_kind,
            "parts_out_of_budget": out_of_budget or "none",
        }
    )
    _log_trials(run, result, context.params.evaluation.k)


def _log_trials(run: Run, result: TrainResult, k: int) -> None:
    """One nested run a setting that was tried; some at once, for each waits for three answers."""

    def log_one(trial: Mapping[str, Any]) -> None:
        run.child(
            f"{trial['part']} {trial['number']}",
            params={"part": trial["part"], **trial["options"]},
            metrics={f"ndcg@{k}": trial["ndcg"], **{n: float(trial[n]) for n in _TRIAL_METRICS}},
            tags={
                "state": trial["state"],
                "chosen": "yes" if trial["is_chosen"] else "",
                "ended_by": trial["ended_by"],
            },
        )

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(log_one, result.trials))


def _register_encoder(run: Run, context: Context, inputs: Inputs) -> None:
    """Register the encoder whose vectors the training read."""
    settings = context.params.encoder.model_dump(mode="json")
    described = {**inputs.encoder, "settings": settings}
    described.pop("digest", None)  # of the vectors, not of the encoder
    register_encoder(
        context,
        nullcontext(run),
        described=described,
        tags={
            "fingerprint": inputs.fingerprint,
            "name": str(inputs.encoder.get("name", "")),
            "settings": json.dumps(settings, sort_keys=True),
        },
    )


def _register(
    run: Run,
    context: Context,
    inputs: Inputs,
    data: TrainingData,
    result: TrainResult,
    tags: dict[str, str],
) -> Release:
    """Log the fitted state as a model and register it as a version of ``plmrec``."""
    from plmrec.recommend.release import LoadedRelease, pack_release
    from plmrec.recommenders.blend import Blend
    from plmrec.tracking.folder_model import Interface, log_folder

    blend = cast("Blend", result.recommender)
    loaded = LoadedRelease(
        version="", blend=blend, catalogue=data.catalogue, now=data.now, unit=data.unit
    )
    arrays, model = pack_release(loaded)
    interface = Interface(
        loader="plmrec.recommend.served:load_served",
        inputs=[("history", "string", True)],
        outputs=[
            ("item_ids", "string", True),
            ("scores", "double", True),
            ("source", "string", False),
        ],
        params=[("k", "long", 10)],
        example=[{"history": list(data.catalogue.item_ids[:2]) or ["an item"]}],
        packages=_PACKAGES,
    )
    registry = open_registry(context, MODEL)
    registry.ensure("Releases of plmrec; the champion answers.")
    with tempfile.TemporaryDirectory(prefix="plmrec-train-") as temporary:
        folder = Path(temporary) / "state"
        digest = write_state(folder, arrays, model)
        logged = log_folder(
            run, folder, name="recommender", interface=interface, params=result.recipe, tags=tags
        )
    metrics = _metrics(result, data)
    run.log_metrics(metrics, model_id=logged.model_id)
    version = registry.add(
        source=logged.source,
        run_id=run.run_id,
        model_id=logged.model_id,
        tags={**{k: v for k, v in tags.items() if v}, "recommender_digest": digest},
    )
    write_state(state_cache(context, str(version)), arrays, model)
    log.info("release %d is registered, run %s", version, run.run_id)
    return Release(
        version=version,
        dataset_digest=inputs.dataset_digest,
        encoder_fingerprint=inputs.fingerprint,
        recommender_digest=digest,
        input_digest=inputs.digest,
        taxonomy_version=None if inputs.taxonomy is None else inputs.taxonomy.version,
        taxonomy_digest=None if inputs.taxonomy is None else inputs.taxonomy.digest,
        mlflow_run_id=run.run_id,
        git_commit=tags["git_commit"],
        airflow_run=tags["airflow_run"],
        metrics=metrics,
    )


def _metrics(result: TrainResult, data: TrainingData) -> dict[str, float]:
    """Numbers of the training by name; those of one part as ``<part>/<metric>``."""
    metrics = {
        "n_items": float(data.catalogue.n_items),
        "n_users": float(data.histories.n_users),
        "n_likes": float(data.histories.is_positive.sum()),
        "n_parts_out_of_budget": float(len(_out_of_budget(result))),
    }
    for row in result.validation:
        start = "validation " if row["part"] == "blend" else f"{row['part']}/"
        numbers = {k: v for k, v in row.items() if isinstance(v, int | float)}
        if row["part"] == "blend":
            numbers.pop("weight", None)
        metrics |= {f"{start}{name}": float(value) for name, value in numbers.items()}
    return metrics


def _out_of_budget(result: TrainResult) -> list[str]:
    """Parts whose search the budget ended: another machine may find other options for them."""
    return [trial["part"] for trial in result.trials if trial["ended_by"] == "budget"]
