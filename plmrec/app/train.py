"""Composes stage "train": data and vectors in, a registered release out, in state challenger."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import plmrec
from plmrec.app.context import Context, database_url, open_context, save_report, tracking_uri
from plmrec.app.provenance import airflow_run, git_commit
from plmrec.app.releases import artifact_root, mlflow_run_url, open_life, open_registry, state_cache
from plmrec.digests import digest_json
from plmrec.params import Params
from plmrec.releases.life import ENCODER_MODEL, MODEL
from plmrec.settings import Settings
from plmrec.stores.database import open_database
from plmrec.stores.releases import Release, ReleaseStore
from plmrec.stores.state_folder import write_state
from plmrec.types import StageReport

if TYPE_CHECKING:
    from plmrec.histories import TrainingData
    from plmrec.stages.train import TrainResult
    from plmrec.tracking.runs import Run

log = logging.getLogger(__name__)

EXPERIMENT: Final = "plmrec-train"
_VERSION: Final = 1  # raise it when the same inputs give another recommender
_PACKAGES: Final = ("mlflow", "numpy", "pandas", "plmrec", "pydantic", "safetensors", "scipy")

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Identity of everything training reads.

    Attributes:
        dataset_digest: DVC digest of the accepted dataset.
        source: Folder the dataset was read from; for people.
        n_interactions: Accepted interactions.
        encoder: Contents of ``embeddings/current.json``.
        digest: Of all that can change the recommender.
    """

    dataset_digest: str
    source: str
    n_interactions: int
    encoder: dict[str, Any]
    digest: str


def should_train(
    force: bool = False,
    *,
    settings: Settings | None = None,
    params: Params | None = None,
    now: datetime | None = None,
) -> bool:
    """Tell whether a training is due: asked for, or the last release is old enough.

    Args:
        force: Someone asked for it.
        settings: Where to run; the environment by default.
        params: ``training.min_interval_days`` is used.
        now: The clock; the system's by default.
    """
    if force:
        return True
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        releases = ReleaseStore(pool).all()
    ages = [
        (now or datetime.now(timezone.utc)) - release.created_at
        for release in releases
        if release.created_at is not None
    ]
    return not ages or min(ages) >= timedelta(days=context.params.training.min_interval_days)


def train(
    *,
    force: bool = True,
    settings: Settings | None = None,
    params: Params | None = None,
    progress: Progress = lambda _done, _total: None,
) -> dict[str, Any]:
    """Tune and fit the recommender, log it to MLflow and register it as a release.

    The same data, parameters and code give the same recommender; a release made from exactly
    these inputs is therefore used again, and nothing is fitted.

    Args:
        force: Train even when the last release is recent; see ``should_train``.
        settings: Where to run; the environment by default.
        params: What to run; params.yaml by default.
        progress: Told steps done and steps to do.

    Returns:
        The stage's report; details: ``release state mlflow_run_id mlflow_url metrics``.

    Raises:
        MissingStageError: The dataset or its vectors are not there.
        ServiceUnavailableError: PostgreSQL or MLflow does not answer.
    """
    started = time.monotonic()
    context = open_context(settings, params)
    inputs = read_inputs(context)
    is_due = force or should_train(settings=context.settings, params=context.params)
    with open_database(database_url(context)) as pool:
        store, life = ReleaseStore(pool), open_life(context, pool)
        life.reconcile()
        known = store.made_from(inputs.digest)
        if known is None and not is_due:
            known = next(iter(store.all()))
        release = known or _train(context, inputs, store, progress)
        if known is None or release.state == "candidate" or store.is_due_again(release.version):
            life.challenge(release.version)
            release = store.get(release.version)
    report = StageReport(
        stage="train",
        n_in=inputs.n_interactions,
        n_out=inputs.n_interactions,
        computed=int(known is None),
        reused=int(known is not None),
        seconds=time.monotonic() - started,
        digest=release.recommender_digest,
        details={
            "release": release.version,
            "state": release.state,
            "mlflow_run_id": release.mlflow_run_id,
            "mlflow_url": mlflow_run_url(context, release.mlflow_run_id),
            "metrics": {k: v for k, v in release.metrics.items() if "/" not in k},
        },
    )
    return save_report(context, report)


def read_inputs(context: Context) -> Inputs:
    """Read the identity of everything training reads, without reading it.

    Raises:
        MissingStageError: The dataset or its vectors are not there.
    """
    manifest = context.workspace.read_json("dataset", "manifest.json")
    encoder = context.workspace.read_json("embeddings", "current.json")
    used = context.params.model_dump(
        mode="json", include={"seed", "feedback", "training", "evaluation"}
    )
    used["training"].pop("min_interval_days")  # it decides when, not what
    parts = [_VERSION, manifest["digest"], encoder["digest"], encoder["fingerprint"], used]
    return Inputs(
        dataset_digest=str(manifest["digest"]),
        source=str(manifest["source"]),
        n_interactions=int(manifest["counts"].get("interactions", 0)),
        encoder=dict(encoder),
        digest=digest_json(parts),
    )


def _train(context: Context, inputs: Inputs, store: ReleaseStore, progress: Progress) -> Release:
    """Fit, log and register; the release is left in state ``candidate``."""
    from plmrec.app.training_data import load_data
    from plmrec.stages.train import train_recommender
    from plmrec.tracking.connection import connect
    from plmrec.tracking.runs import open_run

    data = load_data(context, str(inputs.encoder["fingerprint"]))
    result = train_recommender(data, context.params, progress=progress)
    client = connect(tracking_uri(context))
    tags = {
        "dataset_digest": inputs.dataset_digest,
        "encoder_fingerprint": str(inputs.encoder["fingerprint"]),
        "git_commit": git_commit(),
        "airflow_run": airflow_run(),
        "plmrec_version": plmrec.__version__,
    }
    name = f"train {inputs.dataset_digest[:8]}"
    with open_run(
        client, EXPERIMENT, name=name, artifact_root=artifact_root(context), tags=tags
    ) as run:
        _log_training(run, context, inputs, result)
        _register_encoder(run, context, inputs)
        release = _register(run, context, inputs, data, result, tags)
        store.add(release)
    return release


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
    run.set_tags({"split_digest": result.split_digest, "split_kind": result.split_kind})


def _register_encoder(run: Run, context: Context, inputs: Inputs) -> None:
    """Register the encoder once per fingerprint; its weights stay where they are."""
    registry = open_registry(context, ENCODER_MODEL)
    registry.ensure("Encoders whose vectors releases were trained on; one version each.")
    fingerprint = str(inputs.encoder["fingerprint"])
    if any(each.tags.get("fingerprint") == fingerprint for each in registry.versions().values()):
        return
    described = {**inputs.encoder, "settings": context.params.encoder.model_dump(mode="json")}
    described.pop("digest", None)  # of the vectors, not of the encoder
    run.log_json(described, "encoder/model.json")
    registry.add(
        source=run.artifact_url("encoder"),
        run_id=run.run_id,
        model_id=None,
        tags={"fingerprint": fingerprint, "name": str(inputs.encoder.get("name", ""))},
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
    loaded = LoadedRelease(version="", blend=blend, catalogue=data.catalogue, now=data.now)
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
        encoder_fingerprint=str(inputs.encoder["fingerprint"]),
        recommender_digest=digest,
        input_digest=inputs.digest,
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
    }
    for row in result.validation:
        start = "validation " if row["part"] == "blend" else f"{row['part']}/"
        numbers = {k: v for k, v in row.items() if isinstance(v, int | float)}
        if row["part"] == "blend":
            numbers.pop("weight", None)
        metrics |= {f"{start}{name}": float(value) for name, value in numbers.items()}
    return metrics
