"""``validate``: from a dataset folder to the accepted, snapshotted dataset of the workspace."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from plmrec.app.context import Context, open_context, save_report
from plmrec.errors import MissingStageError
from plmrec.params import Params
from plmrec.quality.run_list import PAGE
from plmrec.settings import Settings
from plmrec.stages.file_digests import FileDigests
from plmrec.stages.last_validation import (
    LastValidation,
    accepted_before,
    input_identity,
    last_source,
    load_last,
)
from plmrec.stages.media_intake import MediaIntake
from plmrec.stages.raw_files import RawFile, find_raw_files
from plmrec.stages.staging import DATASET, NEXT, publish, staging
from plmrec.stages.validate import Validation
from plmrec.stores.workspace import Workspace
from plmrec.types import StageReport
from plmrec.versioning.dvc import restore, snapshot
from plmrec.versioning.tree import MANIFEST, tree_digest


def validate(
    dataset: str,
    *,
    settings: Settings | None = None,
    params: Params | None = None,
    now: datetime | None = None,
    on_rows: Callable[[str, int], None] | None = None,
) -> dict[str, Any]:
    """Read, normalise and judge a raw dataset; snapshot what is accepted.

    Args:
        dataset: Folder that follows the dataset contract; empty for the one validated last.
        settings: Where to run; the environment when None.
        params: What changes results; params.yaml when None.
        now: The clock; the system's when None.
        on_rows: Told a table's name and how many more of its rows were read.

    Returns:
        The report. Its ``in``, ``out`` and ``quarantined`` are sums over tables; ``tables`` has
        the numbers of each.

    Raises:
        DataContractError: A file is missing, cannot be read, or lacks a column.
        GateError: Too much was refused, or a table shrank too much; the accepted dataset of
            the last run stays.
        TransientError: Another process holds the workspace's or DVC's lock.
    """
    started = time.perf_counter()
    context = open_context(settings, params)
    source = Path(dataset or last_source(context.workspace)).resolve()
    files = find_raw_files(source)
    now = now or datetime.now(timezone.utc)
    with staging(context.workspace):
        last = load_last(context.workspace, source)
        raw = FileDigests(source, last.raw)
        media = _media_intake(context, raw, last)
        identity = input_identity(files, raw, context.params)
        if last.is_current(identity, media, now) and _dataset_is(context, last):
            report = _reused(last)
        else:
            report = _computed(context, files, media, last, now, on_rows)
            last.identity, last.raw = identity, raw.as_json()
        _snapshot(context, report.digest, last)
        report = replace(report, seconds=time.perf_counter() - started)
        last.report = report.as_dict()
        last.save(context.workspace)
    return save_report(context, report)


def restore_dataset(digest: str, *, settings: Settings | None = None) -> dict[str, Any]:
    """Bring the workspace's dataset back to an earlier snapshot, for a backfill.

    Args:
        digest: Of a snapshot that this workspace took.
        settings: Where to run; the environment when None.

    Returns:
        The manifest of that dataset: ``digest``, ``source`` and ``counts``.

    Raises:
        MissingStageError: This workspace never took that snapshot.
        DataContractError: Neither DVC's cache nor its remote hold it any more.
    """
    context = open_context(settings)
    known = [name.removesuffix(".json") for name in context.workspace.list("snapshots")]
    if digest not in known:
        raise MissingStageError(
            f"restore: expected the digest of a snapshot, got {digest!r}",
            hint=f"This workspace has: {', '.join(known[-5:]) or 'none'}",
        )
    manifest = context.workspace.read_json("snapshots", f"{digest}.json")
    with staging(context.workspace):
        root = context.workspace.local()
        restore(root, DATASET, digest, remote=context.settings.dvc_remote)
        context.workspace.write_json(manifest, DATASET, MANIFEST)
    return dict(manifest)


def _media_intake(context: Context, raw: FileDigests, last: LastValidation) -> MediaIntake:
    accepted = context.workspace.local(DATASET, "media")
    return MediaIntake(
        target=context.workspace.local(NEXT, "media"),
        raw=raw,
        accepted=FileDigests(accepted, last.accepted),
        probes=_Probes(),
        known=last.problems,
    )


class _Probes:
    """Loads PyAV only when there is a file to look at."""

    def media_problem(self, path: Path) -> str:
        from plmrec.quality.media import media_problem

        return media_problem(path)

    def subtitles_problem(self, path: Path) -> str:
        from plmrec.quality.media import subtitles_problem

        return subtitles_problem(path)


def _dataset_is(context: Context, last: LastValidation) -> bool:
    """Tell whether the workspace still holds what the last validation left there."""
    try:
        manifest = context.workspace.read_json(DATASET, MANIFEST)
    except MissingStageError:
        return False
    folder = context.workspace.local(DATASET)
    return bool(manifest["digest"] == last.report["digest"] == tree_digest(folder, known=last.tree))


def _reused(last: LastValidation) -> StageReport:
    report = StageReport.from_dict(last.report)
    return replace(report, computed=0, reused=report.n_in)


def _computed(
    context: Context,
    files: dict[str, RawFile],
    media: MediaIntake,
    last: LastValidation,
    now: datetime,
    on_rows: Callable[[str, int], None] | None,
) -> StageReport:
    from plmrec.quality.great_expectations_judge import GreatExpectationsJudge

    reports = context.workspace.local("reports")
    name = Path(last.source).name
    stage = Validation(
        files=files,
        workspace=context.workspace,
        params=context.params.validation,
        n_shards=context.params.shards,
        judge=GreatExpectationsJudge(reports / "data_docs", reports / "validations", now=now),
        media=media,
        now=now,
        before=accepted_before(context.workspace, name),
        on_rows=on_rows,
    )
    report = stage.run()
    digest = _change_over(context, report, name, last)
    last.problems, last.media, last.accepted = media.problems, media.seen, media.accepted
    future = stage.earliest_future
    last.earliest_future = future.isoformat() if future else None
    docs = {"data_docs": f"reports/data_docs/{PAGE}"}  # the workspace may move
    return replace(report, digest=digest, details={**report.details, **docs})


def _change_over(context: Context, report: StageReport, source: str, last: LastValidation) -> str:
    """Make the new dataset the dataset; one with the same content leaves the old in place."""
    workspace = context.workspace
    before = dict(last.tree)
    digest = tree_digest(workspace.local(NEXT), known=last.tree)
    counts = {table: numbers["out"] for table, numbers in report.details["tables"].items()}
    manifest = {"digest": digest, "source": source, "counts": counts}
    workspace.write_json(manifest, "snapshots", f"{digest}.json")
    if workspace.exists(DATASET) and _live_digest(workspace, before) == digest:
        workspace.write_json(manifest, DATASET, MANIFEST)
    else:
        workspace.write_json(manifest, NEXT, MANIFEST)
        publish(workspace.local())
    return digest


def _live_digest(workspace: Workspace, known: dict[str, Any]) -> str:
    return tree_digest(workspace.local(DATASET), known=known)


def _snapshot(context: Context, digest: str, last: LastValidation) -> None:
    remote = context.settings.dvc_remote
    snapshot(context.workspace.local(), DATASET, remote=remote, known=last.tree)
