"""Encoders in MLflow: one version of ``plmrec-encoder`` per fingerprint, and what it is worth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final

import plmrec
from plmrec.app.context import Context, tracking_uri
from plmrec.app.provenance import airflow_run, git_commit
from plmrec.app.releases import artifact_root, open_registry
from plmrec.releases.life import ENCODER_MODEL

if TYPE_CHECKING:
    from plmrec.tracking.registry import ModelVersion
    from plmrec.tracking.runs import Run

EXPERIMENT: Final = "plmrec-encoder"
_USED: Final = {"seed", "encoder", "documents", "evaluation", "pretraining", "adaptation"}


def register_encoder(
    context: Context,
    run: AbstractContextManager[Run],
    *,
    described: Mapping[str, Any],
    tags: Mapping[str, str],
) -> ModelVersion:
    """Register an encoder, unless its fingerprint is registered; its weights stay where they are.

    Args:
        context: Whose registry.
        run: What it comes from; entered only for an encoder that is new.
        described: JSON values to keep with a new version.
        tags: Of a new version; ``fingerprint`` is one of them.

    Returns:
        The version, with the tags it has in the registry.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
    """
    from plmrec.tracking.registry import ModelVersion

    registry = open_registry(context, ENCODER_MODEL)
    registry.ensure("Encoders whose vectors releases were trained on; one version each.")
    for known in registry.versions().values():
        if known.tags.get("fingerprint") == tags["fingerprint"]:
            return known
    with run as entered:
        entered.log_json(dict(described), "encoder/model.json")
        source = entered.artifact_url("encoder")
        number = registry.add(source=source, run_id=entered.run_id, model_id=None, tags=tags)
        return ModelVersion(version=number, source=source, run_id=entered.run_id, tags=dict(tags))


def register_version(context: Context, result: Mapping[str, Any]) -> dict[str, Any]:
    """Register a trained encoder, once per fingerprint, with what it is worth.

    Its evaluation becomes tags of the version and metrics of its run; its weights stay in the
    workspace.

    Args:
        context: Whose registry.
        result: See ``encoder_training.train_encoder``.

    Returns:
        ``version`` and ``run_id``.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
    """
    measured = {
        f"{each['measure']} {side}".replace(" ", "_"): each[side]
        for each in result["changes"]
        for side in ("before", "after", "difference", "low", "high")
        if each[side] is not None
    }
    settings = result["params"]["encoder"]
    tags = {
        "fingerprint": result["fingerprint"],
        "name": result["encoder"],
        "made_by": result["made_by"],
        "base_fingerprint": result["base_fingerprint"],
        "folder": result["folder"],
        "settings": json.dumps(settings, sort_keys=True),
        "adopted": "yes" if result["adopted"] else "no",
        **{f"evaluation.{name}": f"{value:.6g}" for name, value in measured.items()},
    }
    run = _evaluation_run(context, result, measured)
    version = register_encoder(context, run, described=settings, tags=tags)
    if not tags.items() <= version.tags.items():  # known, and measured anew
        open_registry(context, ENCODER_MODEL).tag(version.version, tags)
    return {"version": version.version, "run_id": version.run_id}


@contextmanager
def _evaluation_run(
    context: Context, result: Mapping[str, Any], measured: Mapping[str, float]
) -> Iterator[Run]:
    """A run that holds what a trained encoder is worth."""
    from plmrec.tracking.connection import connect
    from plmrec.tracking.runs import open_run

    with open_run(
        connect(tracking_uri(context)),
        EXPERIMENT,
        name=f"{result['made_by']} {result['encoder']}",
        artifact_root=artifact_root(context),
        tags={
            "encoder_fingerprint": result["fingerprint"],
            "git_commit": git_commit(),
            "airflow_run": airflow_run(),
            "plmrec_version": plmrec.__version__,
        },
    ) as run:
        run.log_params(context.params.model_dump(mode="json", include=_USED))
        losses = {k: v for k, v in result.items() if k.startswith("loss_") and v is not None}
        run.log_metrics({**measured, **losses})
        run.log_json(result, "encoder/evaluation.json")
        yield run
