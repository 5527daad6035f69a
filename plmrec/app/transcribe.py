"""Composes the stage "transcribe": as one run, or shard by shard for the DAG."""

from __future__ import annotations

from collections import Counter
from typing import cast

from plmrec.app.context import Context, open_context, save_report
from plmrec.app.shards import (
    Progress,
    complete_reports,
    count_up,
    merge_reports,
    no_progress,
)
from plmrec.backends import build_backend
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.speech.base import SpeechRecogniser
from plmrec.stages import transcribe as stage
from plmrec.stages.item_text import STAGE


def load_recogniser(context: Context) -> SpeechRecogniser:
    """Build the speech recogniser of params.yaml; its weights are loaded at the first sound.

    Raises:
        ParamsError: Its options are not valid.
        BackendUnavailableError: Its name is unknown, or a dependency is not installed.
    """
    params = context.params.speech
    return cast(SpeechRecogniser, build_backend("speech", params.backend, params.options))


def pending_shards(*, settings: Settings | None = None, params: Params | None = None) -> list[str]:
    """Names of the shards that have items to transcribe or to drop; loads no weights.

    Raises:
        MissingStageError: The items are not there.
    """
    run = _Run(open_context(settings, params))
    return [shard for shard in run.shards if stage.is_pending(run.opened, shard, run.inputs(shard))]


def transcribe_shard(
    shard: str, *, settings: Settings | None = None, params: Params | None = None
) -> dict[str, object]:
    """Bring one shard up to date and return its report; see stages.transcribe.transcribe_shard."""
    run = _Run(open_context(settings, params))
    return run.transcribe(shard)


def finish_transcribe(
    reports: list[dict[str, object]],
    *,
    settings: Settings | None = None,
    params: Params | None = None,
) -> dict[str, object]:
    """Check that all shards are up to date and add up their reports.

    Args:
        reports: Of the shards transcribed in this run; every other shard counts as reused.
        settings: Where to run; the environment by default.
        params: What to run; params.yaml by default.

    Returns:
        The stage's report; details: items by status, seconds of media, recogniser.

    Raises:
        MissingStageError: A shard is not up to date.
    """
    return _Run(open_context(settings, params)).finish(reports)


def transcribe(
    *,
    settings: Settings | None = None,
    params: Params | None = None,
    progress: Progress = no_progress,
) -> dict[str, object]:
    """Transcribe everything that is new or changed, in this process.

    Args:
        settings: Where to run; the environment by default.
        params: What to run; params.yaml by default.
        progress: Told items done and items to do, also once before the first.

    Returns:
        The stage's report, as of ``finish_transcribe``.

    Raises:
        MissingStageError: The items are not there.
        BackendUnavailableError: The recogniser's weights are not there.
    """
    run = _Run(open_context(settings, params))
    total = sum(len(stage.stale_items(run.opened, s, run.inputs(s))) for s in run.shards)
    advance = count_up(progress, total)
    return run.finish([run.transcribe(shard, advance) for shard in run.shards])


class _Run:
    """Tables and recogniser of one run."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._params = context.params.speech
        self._recogniser = load_recogniser(context)
        self.opened = stage.open_tables(context.workspace, n_shards=context.params.shards)
        self.shards = self.opened.transcripts.shards

    def inputs(self, shard: str) -> dict[str, str]:
        return stage.read_inputs(self.opened, shard, self._recogniser, self._params)

    def transcribe(self, shard: str, advance: stage.Advance = lambda _: None) -> dict[str, object]:
        return stage.transcribe_shard(
            self.opened,
            shard,
            recogniser=self._recogniser,
            params=self._params,
            advance=advance,
        ).as_dict()

    def is_current(self, shard: str) -> bool:
        return stage.is_shard_current(self.opened, shard, self.inputs(shard))

    def finish(self, reports: list[dict[str, object]]) -> dict[str, object]:
        every = complete_reports(
            STAGE,
            reports,
            self.shards,
            is_current=self.is_current,
            reuse=lambda shard: stage.reused_report(self.opened, shard).as_dict(),
        )
        stage.tidy(self.opened)
        merged = merge_reports(STAGE, every, self.opened.transcripts.digest())
        statuses: Counter[str] = Counter()
        for report in every:
            statuses.update(report["statuses"])
        merged.details.update(
            statuses=dict(sorted(statuses.items())),
            media_s=round(sum(report["media_s"] for report in every), 1),
            recogniser=self._recogniser.name,
        )
        return save_report(self._context, merged)
