"""Composes the stage "transcribe": as one run, or shard by shard for the DAG."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

from plmrec.app.context import Context, open_context, save_report
from plmrec.app.shards import (
    Progress,
    complete_reports,
    count_up,
    merge_reports,
    no_progress,
)
from plmrec.app.speech_models import check_models
from plmrec.params import Params
from plmrec.quality.speech import GreatExpectationsSpeechJudge
from plmrec.settings import Settings
from plmrec.stages import transcribe as stage
from plmrec.stages.hearers import Hearer, LocalHearer, ProcessHearer
from plmrec.stages.item_text import STAGE
from plmrec.stages.recognisers import Recognisers
from plmrec.stages.shard_work import Advance


def open_hearer(context: Context, recognisers: Recognisers) -> Hearer:
    """Open who hears: a process of its own, unless params.yaml or the recognisers want none.

    Raises:
        ParamsError: Options of a recogniser are not valid.
        BackendUnavailableError: The name of one is unknown, or a dependency is not installed.
    """
    is_isolated = any(choice.first.is_isolated for choice in recognisers.choices)
    if is_isolated and recognisers.params.max_worker_mb:
        return ProcessHearer(context.settings.workspace, recognisers.params)
    return LocalHearer(context.workspace, recognisers)


def pending_shards(*, settings: Settings | None = None, params: Params | None = None) -> list[str]:
    """Names of the shards that have items to transcribe or to drop; loads no weights.

    Raises:
        MissingStageError: The items are not there.
    """
    run = _Run(open_context(settings, params))
    check_models(run.context, run.recognisers)
    return [shard for shard in run.shards if stage.is_pending(run.opened, shard, run.inputs(shard))]


def transcribe_shard(
    shard: str, *, settings: Settings | None = None, params: Params | None = None
) -> dict[str, object]:
    """Bring one shard up to date and return its report; see stages.transcribe.transcribe_shard."""
    with closing(_Run(open_context(settings, params))) as run:
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
    check_models(run.context, run.recognisers)
    total = sum(len(stage.stale_items(run.opened, s, run.inputs(s))) for s in run.shards)
    advance = count_up(progress, total)
    with closing(run):
        return run.finish([run.transcribe(shard, advance) for shard in run.shards])


class _Run:
    """Tables and recognisers of one run."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.recognisers = Recognisers(params=context.params.speech)
        self._hearer = open_hearer(context, self.recognisers)
        self._judge = GreatExpectationsSpeechJudge()
        self.opened = stage.open_tables(context.workspace, n_shards=context.params.shards)
        self.shards = self.opened.transcripts.shards

    def inputs(self, shard: str) -> dict[str, str]:
        return stage.read_inputs(self.opened, shard, self.recognisers)

    def transcribe(self, shard: str, advance: Advance = lambda _: None) -> dict[str, object]:
        return stage.transcribe_shard(
            self.opened,
            shard,
            recognisers=self.recognisers,
            hearer=self._hearer,
            judge=self._judge,
            advance=advance,
        ).as_dict()

    def close(self) -> None:
        self._hearer.close()

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
            speech_s=round(sum(report["speech_s"] for report in every), 1),
            tried_again=sum(report["tried_again"] for report in every),
            recogniser=self.recognisers.choices[0].first.name,
        )
        return save_report(self.context, merged)
