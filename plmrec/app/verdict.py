"""The verdict on a release: both recipes fitted before the split, compared, judged and logged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from plmrec.app.context import Context, tracking_uri
from plmrec.app.evaluation_page import evaluation_page
from plmrec.app.inputs import Inputs
from plmrec.app.provenance import airflow_run, git_commit
from plmrec.app.releases import artifact_root, release_folder
from plmrec.app.training_data import load_data
from plmrec.digests import digest_json
from plmrec.stores.releases import Release
from plmrec.stores.state_folder import read_state

if TYPE_CHECKING:
    from plmrec.histories import TrainingData
    from plmrec.stages.compare import Comparison
    from plmrec.stages.evaluate import Evaluation

EXPERIMENT: Final = "plmrec-evaluate"

Decision: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Who is judged, against whom, and on what.

    Attributes:
        challenger: The release to judge.
        champion: The one it must beat; None before there is one.
        inputs: The dataset and vectors of the workspace now.
        digest: Of everything the verdict depends on.
    """

    challenger: Release
    champion: Release | None
    inputs: Inputs
    digest: str


def keep_champion(champion: Release) -> Decision:
    """The verdict when there is nobody to judge: the champion stays."""
    return {
        "verdict": "keep",
        "reasons": [f"release {champion.version} is champion and there is no challenger"],
        "metrics": champion.decision.get("metrics", {}),
        "run_id": champion.decision.get("run_id", champion.mlflow_run_id),
    }


def judge_match(context: Context, match: Match) -> Decision:
    """Fit both recipes before the split, compare them, apply the policy, log it all."""
    from plmrec.stages.compare import compare
    from plmrec.stages.policy import decide
    from plmrec.stages.train import evaluation_split

    data = load_data(context, match.challenger.encoder_fingerprint)
    if not evaluation_split(data, context.params).n_judged:
        return _unjudged(match)
    challenger = _evaluated(context, match.challenger, data, with_baselines=True)
    champion = None
    if match.champion is not None:
        # Its encoder may be another; items and held-out likes are the same all the same.
        if match.champion.encoder_fingerprint != match.challenger.encoder_fingerprint:
            data = load_data(context, match.champion.encoder_fingerprint)
        champion = _evaluated(context, match.champion, data)
    comparison = compare(challenger, champion, context.params.evaluation, seed=context.params.seed)
    found = decide(comparison, context.params.policy).as_dict()
    decision = {
        "verdict": found["decision"],
        "reasons": found["reasons"],
        "rules": found["rules"],
        "metrics": _finite(challenger.metrics()),
        "champion": None if match.champion is None else match.champion.version,
        "policy_version": digest_json(context.params.policy.model_dump(mode="json"))[:12],
        "digest": match.digest,
    }
    return decision | {"run_id": _log(context, match, comparison, decision)}


def _evaluated(
    context: Context, release: Release, data: TrainingData, *, with_baselines: bool = False
) -> Evaluation:
    """Fit the recipe of a release on what lies before the split, and judge it on the rest."""
    from plmrec.app.groups import load_groups
    from plmrec.stages.evaluate import evaluate_recipe
    from plmrec.stages.train import evaluation_split

    _, model = read_state(release_folder(context, release))
    return evaluate_recipe(
        model["recipe"],
        data,
        evaluation_split(data, context.params),
        k=context.params.evaluation.k,
        max_users=context.params.evaluation.max_users,
        with_baselines=with_baselines,
        groups=load_groups(context, data.catalogue, data.histories),
    )


def _unjudged(match: Match) -> Decision:
    """The verdict when no user has held-out likes: only a first release goes through."""
    is_first = match.champion is None
    return {
        "verdict": "promote" if is_first else "reject",
        "reasons": [
            "no user has held-out likes to judge by"
            + ("; it is the first release" if is_first else "; the champion stays")
        ],
        "metrics": {},
        "digest": match.digest,
        "run_id": match.challenger.mlflow_run_id,
    }


def _log(context: Context, match: Match, comparison: Comparison, decision: Decision) -> str:
    """Log a run with the metrics, the slices and the verdict; return its id."""
    from plmrec.tracking.connection import connect
    from plmrec.tracking.runs import open_run

    values = comparison.as_dict()
    tags = {
        "release": str(match.challenger.version),
        "champion": str(decision["champion"] or ""),
        "decision": str(decision["verdict"]),
        "policy_version": str(decision["policy_version"]),
        "dataset_digest": match.inputs.dataset_digest,
        "git_commit": git_commit(),
        "airflow_run": airflow_run(),
        "split_digest": str(values["split_digest"]),
    }
    with open_run(
        connect(tracking_uri(context)),
        EXPERIMENT,
        name=f"release {match.challenger.version}",
        artifact_root=artifact_root(context),
        tags=tags,
    ) as run:
        run.log_params(
            context.params.model_dump(mode="json", include={"seed", "evaluation", "policy"})
        )
        run.log_dataset(
            name=Path(match.inputs.source).name or "dataset",
            digest=match.inputs.dataset_digest,
            source={"path": match.inputs.source, "dvc_digest": match.inputs.dataset_digest},
            context="evaluate",
        )
        run.log_metrics(_all_metrics(values))
        run.log_json(values, "comparison.json")
        run.log_json(decision, "decision.json")
        run.log_text(evaluation_page(match.challenger.version, values, decision), "evaluation.html")
    return run.run_id


def _all_metrics(values: dict[str, Any]) -> dict[str, float]:
    """Metrics of the challenger, and those of champion, slices, gains and baselines by group."""
    metrics = _finite(values["challenger"])
    groups = {"champion": values["champion"] or {}} | {
        f"slice {name}": found for name, found in values["slices"].items()
    }
    groups |= {f"items {name}": found for name, found in values["item_slices"].items()}
    groups["gap"] = {name.replace("/", " "): found["gap"] for name, found in values["gaps"].items()}
    groups |= {f"baseline {name}": found for name, found in values["baselines"].items()}
    groups["gain"] = {name: interval[0] for name, interval in values["gains"].items()}
    for group, found in groups.items():
        metrics |= {f"{group}/{name}": value for name, value in _finite(found).items()}
    return metrics


def _finite(metrics: dict[str, Any]) -> dict[str, float]:
    return {k: float(v) for k, v in metrics.items() if v is not None and math.isfinite(v)}
