"""Speech models in MLflow: how well each did on a golden set, and which may be used."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from plmrec.app.context import Context, tracking_uri
from plmrec.app.provenance import git_commit
from plmrec.errors import GateError
from plmrec.stages.recognisers import Recognisers

if TYPE_CHECKING:
    from plmrec.tracking.registry import ModelVersion, Registry

log = logging.getLogger(__name__)

SPEECH_MODEL: Final = "plmrec-speech"
EXPERIMENT: Final = "plmrec-speech"
ACCEPTED: Final = "accepted"  # alias of the version accepted last
_METRICS: Final = ("wer", "cer", "rtf")


def model_name(recognisers: Recognisers) -> str:
    """Name and version of the recogniser, and of the detector that feeds it."""
    recogniser = recognisers.choices[0].first
    name = f"{recogniser.name}@{recogniser.version}"
    return name if recogniser.window.hears_all else f"{name} {recognisers.detector_version}"


def record(
    context: Context, recognisers: Recognisers, total: Mapping[str, Any], refs_digest: str
) -> dict[str, Any]:
    """Register a golden-set result as a version of ``plmrec-speech``.

    A model that was measured on the same set before keeps its version; its numbers are renewed.

    Args:
        context: Of the run.
        recognisers: What was measured.
        total: ``wer``, ``cer`` and ``rtf`` over the whole set.
        refs_digest: Digest of the golden set.

    Returns:
        ``model``, ``version`` and ``mlflow_run_id``.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
    """
    from plmrec.app.releases import artifact_root, open_registry
    from plmrec.tracking.connection import connect
    from plmrec.tracking.runs import open_run

    name = model_name(recognisers)
    registry = open_registry(context, SPEECH_MODEL)
    registry.ensure("Speech recognisers with their word error rate on a golden set.")
    tags = {"recogniser": name, "refs": refs_digest, **_numbers(total)}
    known = _find(registry, name, refs_digest)
    with open_run(
        connect(tracking_uri(context)),
        EXPERIMENT,
        name=f"bench {name.split(' ')[0]}",
        artifact_root=artifact_root(context),
        tags={**tags, "git_commit": git_commit()},
    ) as run:
        speech = context.params.speech.model_dump(mode="json")
        run.log_params({"speech": speech})
        run.log_metrics({key: float(total[key]) for key in _METRICS if total[key] is not None})
        run.log_json({**speech, "recogniser": name}, "speech/model.json")
        if known is None:
            version = registry.add(
                source=run.artifact_url("speech"), run_id=run.run_id, model_id=None, tags=tags
            )
        else:
            version = known.version
            registry.tag(version, tags)
    return {"model": SPEECH_MODEL, "version": version, "mlflow_run_id": run.run_id}


def check_models(context: Context, recognisers: Recognisers) -> None:
    """Refuse a recogniser that does worse on the golden set than the one accepted last.

    One without a record on this set is measured first. The first one ever is accepted. Nothing
    is done when params.yaml names no golden set. Overrides are not judged: a golden set speaks
    one language.

    Raises:
        GateError: Its word error rate is higher than that of the version accepted last by more
            than ``speech.max_wer_gain``.
        DataContractError: The golden set cannot be read.
        ServiceUnavailableError: MLflow does not answer.
    """
    params = context.params.speech
    if params.golden is None:
        return
    from plmrec.app.bench_speech import bench_speech, refs_digest
    from plmrec.app.releases import open_registry

    refs = context.settings.params.parent / params.golden  # an absolute path stays as it is
    digest, name = refs_digest(refs), model_name(recognisers)
    registry = open_registry(context, SPEECH_MODEL)
    mine = _find(registry, name, digest)
    if mine is None:
        log.info("speech: measuring %s on %s", name, refs)
        bench_speech(
            refs, settings=context.settings, params=context.params, compare=False, keep=True
        )
        mine = _find(registry, name, digest)
    if mine is None:
        raise GateError(f"speech: expected a record of {name} on {refs}, found none")
    accepted = _last_accepted(registry, digest)
    if accepted is not None and accepted.version == mine.version:
        return
    if accepted is not None:
        _compare(mine, accepted, params.max_wer_gain)
    registry.tag(mine.version, {"accepted_at": datetime.now(timezone.utc).isoformat()})
    registry.set_alias(ACCEPTED, mine.version)


def _compare(mine: ModelVersion, accepted: ModelVersion, max_gain: float) -> None:
    wer, best = float(mine.tags["wer"]), float(accepted.tags["wer"])
    if wer > best + max_gain:
        raise GateError(
            f"speech: expected a word error rate of at most {best + max_gain:.4f} on the golden "
            f"set (version {accepted.version} of {SPEECH_MODEL} has {best:.4f}), got {wer:.4f} "
            f"with version {mine.version}, {mine.tags['recogniser']}",
            hint="Go back to the settings of that version, or raise speech.max_wer_gain",
        )


def _find(registry: Registry, name: str, refs: str) -> ModelVersion | None:
    """The newest version of a model that was measured on a golden set."""
    found = [
        each
        for each in registry.versions().values()
        if each.tags.get("recogniser") == name and each.tags.get("refs") == refs
    ]
    return found[-1] if found else None


def _last_accepted(registry: Registry, refs: str) -> ModelVersion | None:
    found = [
        each
        for each in registry.versions().values()
        if each.tags.get("refs") == refs and each.tags.get("accepted_at")
    ]
    return max(found, key=lambda each: each.tags["accepted_at"], default=None)


def _numbers(total: Mapping[str, Any]) -> dict[str, str]:
    """Rates as tags; one that cannot be counted is the worst there is."""
    return {key: str(total[key] if total[key] is not None else 1.0) for key in _METRICS}
