"""What stages that run shard by shard share: their progress, and one report out of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from plmrec.errors import MissingStageError
from plmrec.types import StageReport

Progress: TypeAlias = Callable[[int, int], None]  # told units done and units to do


def no_progress(_done: int, _total: int) -> None:
    """Tell nobody."""


def count_up(progress: Progress, total: int) -> Callable[[int], None]:
    """Turn "so many more are done" into "so many of all are done".

    Args:
        progress: Told at once that none is done, and then after each call.
        total: Units to do.
    """
    done = 0
    progress(done, total)

    def advance(n_more: int) -> None:
        nonlocal done
        done += n_more
        progress(done, total)

    return advance


def complete_reports(
    stage: str,
    reports: Sequence[dict[str, Any]],
    shards: Sequence[str],
    *,
    is_current: Callable[[str], bool],
    reuse: Callable[[str], dict[str, Any]],
) -> list[dict[str, Any]]:
    """Reports of all shards: those of this run, and of the rest as reused.

    Args:
        stage: Name of the stage, which is also its command.
        reports: Of the shards that this run worked on; each names its ``shard``.
        shards: All shards.
        is_current: Tells whether a shard holds what its inputs call for.
        reuse: Reports on a shard that this run did not touch.

    Raises:
        MissingStageError: A shard is not up to date.
    """
    if late := [shard for shard in shards if not is_current(shard)]:
        raise MissingStageError(
            f"{stage}: expected every shard up to date, found {len(late)} that are not: {late[:5]}",
            hint=f"Run plmrec {stage} again",
        )
    done = {str(report["shard"]) for report in reports}
    return [*reports, *(reuse(shard) for shard in shards if shard not in done)]


def merge_reports(stage: str, reports: Sequence[dict[str, Any]], digest: str) -> StageReport:
    """Add up the reports of a stage's shards.

    Args:
        stage: Name of the stage.
        reports: One ``StageReport.as_dict()`` per shard.
        digest: Digest of the stage's whole output.
    """
    parts = [StageReport.from_dict(dict(values)) for values in reports]
    return StageReport(
        stage=stage,
        n_in=sum(part.n_in for part in parts),
        n_out=sum(part.n_out for part in parts),
        n_quarantined=sum(part.n_quarantined for part in parts),
        computed=sum(part.computed for part in parts),
        reused=sum(part.reused for part in parts),
        seconds=sum(part.seconds for part in parts),
        digest=digest,
    )


def add_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up counts by name.

    Example:
        >>> add_counts([{"email": 2}, {"email": 1, "card": 4}])
        {'card': 4, 'email': 3}
    """
    total: Counter[str] = Counter()
    for some in counts:
        total.update(some)
    return dict(sorted(total.items()))
