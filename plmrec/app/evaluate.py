"""Composes stage "evaluate": challenger against champion, the policy's verdict, the promotion."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from plmrec.app.context import Context, database_url, open_context, save_report
from plmrec.app.inputs import read_inputs
from plmrec.app.releases import mlflow_run_url, open_life
from plmrec.app.verdict import Decision, Match, judge_match, keep_champion
from plmrec.digests import digest_json
from plmrec.errors import MissingStageError
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stores.database import open_database
from plmrec.stores.releases import Release, ReleaseStore
from plmrec.types import StageReport

_VERSION = 2  # raise it when the same inputs give another verdict


def evaluate(
    version: int | None = None,
    *,
    promote: bool = True,
    settings: Settings | None = None,
    params: Params | None = None,
) -> dict[str, Any]:
    """Judge a release against the champion on the same held-out likes, by the policy.

    The verdict and its reasons are written on the release, in PostgreSQL and in MLflow. A
    rejected challenger is retired. A verdict on the same releases, data and policy is used again.

    Args:
        version: Release to judge; the challenger by default. Without a challenger there is
            nothing to decide, and the champion is kept.
        promote: Promote at once if the policy says so and needs no person; else leave the release
            in state challenger for ``promote``.
        settings: Where to run; the environment by default.
        params: ``evaluation`` and ``policy`` are used.

    Returns:
        The stage's report; details: ``release decision approval reasons metrics champion
        mlflow_run_id mlflow_url``; ``decision`` is ``promote``, ``reject`` or ``keep``.

    Raises:
        MissingStageError: There is no release yet.
        ParamsError: The policy names a metric or baseline that does not exist.
    """
    started = time.monotonic()
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        store, life = ReleaseStore(pool), open_life(context, pool)
        life.reconcile()
        champion = store.in_state("champion")
        judged = store.get(version) if version is not None else store.in_state("challenger")
        judged = judged or champion
        if judged is None:
            raise MissingStageError(
                "evaluate: expected a release, found none", hint="Run `plmrec train` first"
            )
        match = _match(context, judged, champion)
        is_new = False
        if champion is not None and judged.version == champion.version:
            decision = keep_champion(judged)
            match = replace(match, digest=judged.decision.get("digest", match.digest))
        elif judged.decision.get("digest") == match.digest:
            decision = judged.decision
        else:
            is_new, decision = True, judge_match(context, match)
            life.decide(judged.version, decision, retire=decision["verdict"] == "reject")
        by_policy = promote and context.params.policy.approval == "auto"
        if decision["verdict"] == "promote" and by_policy:
            life.promote(judged.version, decision)
    report = _report(context, match, decision, computed=int(is_new))
    return save_report(context, replace(report, seconds=time.monotonic() - started))


def promote(
    version: int | str, *, settings: Settings | None = None, params: Params | None = None
) -> dict[str, Any]:
    """Make a release the champion: one the policy passed, or any that a person chose.

    Returns:
        ``release previous decision reasons dataset_digest encoder_fingerprint mlflow_run_id
        mlflow_url``; ``previous`` is the champion it replaces, None when there was none.

    Raises:
        DataContractError: There is no such release.
    """
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        release = ReleaseStore(pool).get(int(version))
        decision = dict(release.decision)
        if decision.get("verdict") != "promote":
            against = decision.get("verdict") or "no verdict"
            decision |= {"verdict": "promote", "reasons": [f"promoted by hand, against {against}"]}
        previous = open_life(context, pool).promote(release.version, decision)
    return {
        "release": release.version,
        "previous": previous,
        "decision": "promote",
        "reasons": decision.get("reasons", []),
        "dataset_digest": release.dataset_digest,
        "encoder_fingerprint": release.encoder_fingerprint,
        "mlflow_run_id": release.mlflow_run_id,
        "mlflow_url": mlflow_run_url(context, release.mlflow_run_id),
    }


def _match(context: Context, judged: Release, champion: Release | None) -> Match:
    inputs = read_inputs(context)
    used = context.params.model_dump(
        mode="json", include={"seed", "feedback", "evaluation", "policy"}
    )
    used["policy"].pop("approval")  # it decides who promotes, not whether
    against = "" if champion is None else champion.recommender_digest
    parts = [_VERSION, inputs.dataset_digest, inputs.encoder["digest"], used]
    return Match(
        challenger=judged,
        champion=champion,
        inputs=inputs,
        digest=digest_json([*parts, judged.recommender_digest, against]),
    )


def _report(context: Context, match: Match, decision: Decision, *, computed: int) -> StageReport:
    run_id = str(decision.get("run_id", ""))
    return StageReport(
        stage="evaluate",
        n_in=match.inputs.n_interactions,
        n_out=match.inputs.n_interactions,
        computed=computed,
        reused=1 - computed,
        digest=match.digest,
        details={
            "release": match.challenger.version,
            "decision": decision["verdict"],
            "approval": context.params.policy.approval,
            "reasons": list(decision.get("reasons", [])),
            "metrics": decision.get("metrics", {}),
            "champion": decision.get("champion"),
            "mlflow_run_id": run_id,
            "mlflow_url": mlflow_run_url(context, run_id) if run_id else "",
        },
    )
