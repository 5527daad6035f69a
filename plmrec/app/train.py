"""Composes stage "train": data and vectors in, a registered release out, in state challenger."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from plmrec.app.context import Context, database_url, open_context, save_report
from plmrec.app.inputs import Inputs, read_inputs
from plmrec.app.registering import register_training
from plmrec.app.releases import mlflow_run_url, open_life
from plmrec.app.shards import Progress, no_progress
from plmrec.app.training_data import load_data
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stores.database import open_database
from plmrec.stores.releases import Release, ReleaseStore
from plmrec.types import StageReport


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
    progress: Progress = no_progress,
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


def _train(context: Context, inputs: Inputs, store: ReleaseStore, progress: Progress) -> Release:
    """Fit, log and register; the release is left in state ``candidate``."""
    from plmrec.stages.train import train_recommender

    data = load_data(context, inputs.fingerprint)
    tried = _tuning_file(context, inputs)
    result = train_recommender(data, context.params, progress=progress, store=tried)
    release = register_training(context, inputs, data, result)
    store.add(release)
    return release


def _tuning_file(context: Context, inputs: Inputs) -> Path | None:
    """Where tuning keeps what it tried with these inputs; nowhere in a workspace that is remote."""
    if not context.workspace.is_local:
        return None
    return context.workspace.local("state", "tuning", f"{inputs.digest}.log")
