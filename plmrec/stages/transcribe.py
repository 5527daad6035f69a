"""Stage "transcribe": items in, what is said in them out, one row per item and its subtitles.

The counts: every item gets a row. Items whose row has the status ``refused`` count as
quarantined, all others as out, with or without text. The quarantine holds each file that was
refused or found damaged, so it may list more files than items were refused: an item whose
subtitles could not be read, but whose media could, is out.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from plmrec.digests import digest_json, digest_rows
from plmrec.errors import MissingStageError
from plmrec.quality.speech import SpeechJudge
from plmrec.stages.hearers import Hearer
from plmrec.stages.incremental import is_current, stale_keys, update_shard
from plmrec.stages.item_text import STAGE, SUBTITLES_VERSION
from plmrec.stages.media_files import UNREACHABLE, MediaFiles
from plmrec.stages.recognisers import Recognisers
from plmrec.stages.shard_work import Advance, ShardWork
from plmrec.stages.transcript_files import TranscriptFiles
from plmrec.stores.tables import items_table, transcripts_table
from plmrec.stores.workspace import ShardedTable, Workspace
from plmrec.types import StageReport

log = logging.getLogger(__name__)

_VERSION: Final = 2  # raise it when the same files give other rows
_ITEM_COLUMNS: Final = (
    "item_id",
    "kind",
    "language",
    "duration_s",
    "media",
    "media_digest",
    "subtitles",
    "subtitles_digest",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscribeTables:
    """What the stage reads (items and their files) and writes (the rest)."""

    items: ShardedTable
    transcripts: ShardedTable
    files: MediaFiles
    results: TranscriptFiles


def open_tables(workspace: Workspace, *, n_shards: int) -> TranscribeTables:
    """Open the stage's tables.

    Raises:
        MissingStageError: The items are not there, or not all of them.
    """
    items = items_table(workspace, n_shards)
    if not items.is_complete:
        raise MissingStageError(
            f"transcribe: expected all {n_shards} shards of {items.name} in {workspace.root}, "
            f"found {sum(map(items.exists, items.shards))}",
            hint="Run plmrec validate first",
        )
    return TranscribeTables(
        items=items,
        transcripts=transcripts_table(workspace, n_shards),
        files=MediaFiles(workspace),
        results=TranscriptFiles(workspace),
    )


def read_inputs(opened: TranscribeTables, shard: str, recognisers: Recognisers) -> dict[str, str]:
    """Digest what each row of a shard depends on, by item_id; loads no weights.

    Recogniser, detector and rules of quality count for items whose media are heard, and files
    count by their digests, or by being missing: one that comes back is looked at again. An item
    with subtitles depends on the recogniser only if its row says that they were of no use.
    """
    return _inputs(opened, shard, *_digests(opened, shard, recognisers))


def _inputs(
    opened: TranscribeTables, shard: str, read: Mapping[str, str], heard: Mapping[str, str]
) -> dict[str, str]:
    """Of both digests of each item the one that its row depends on."""
    rows = opened.transcripts.read(shard, ["item_id", "status"]).to_pylist()
    in_spite = {row["item_id"] for row in rows if row["status"] != "subtitles"}
    return {key: heard[key] if key in in_spite else read[key] for key in read}


def _digests(
    opened: TranscribeTables, shard: str, recognisers: Recognisers
) -> tuple[dict[str, str], dict[str, str]]:
    """Input digests of a shard's items: if their subtitles are read, and if media are heard."""
    read, heard = {}, {}
    for item in opened.items.read(shard, _ITEM_COLUMNS).to_pylist():
        parts: dict[str, Any] = {"version": _VERSION, "language": item["language"]}
        for field in ("media", "subtitles"):
            if name := item[field]:
                there = opened.files.is_there(name)
                parts[field] = [name, item[f"{field}_digest"] if there else "missing"]
        if item["subtitles"]:
            parts["reader"] = SUBTITLES_VERSION
        more = recognisers.inputs_of(item) if item["media"] else {}
        heard[item["item_id"]] = digest_json({**parts, **more})
        read[item["item_id"]] = digest_json(parts if item["subtitles"] else {**parts, **more})
    return read, heard


def stale_items(opened: TranscribeTables, shard: str, inputs: Mapping[str, str]) -> list[str]:
    """Items of a shard to compute: new, changed, or not reached the last time; sorted."""
    again = _unreachable(opened, shard) & set(inputs)
    return sorted({*stale_keys(opened.transcripts, shard, inputs), *again})


def is_pending(opened: TranscribeTables, shard: str, inputs: Mapping[str, str]) -> bool:
    """Tell whether a shard has anything to compute or to drop."""
    return not is_shard_current(opened, shard, inputs) or bool(_unreachable(opened, shard))


def is_shard_current(opened: TranscribeTables, shard: str, inputs: Mapping[str, str]) -> bool:
    """Tell whether a shard holds exactly the rows that its inputs call for."""
    return is_current(opened.transcripts, shard, inputs)


def transcribe_shard(
    opened: TranscribeTables,
    shard: str,
    *,
    recognisers: Recognisers,
    hearer: Hearer,
    judge: SpeechJudge,
    advance: Advance = lambda _: None,
) -> StageReport:
    """Bring one shard up to date.

    Media are heard longest first, so that none straggles at the end; short ones share the
    batches of the recogniser. What was heard is kept until the shard is written, so that a
    killed run loses one batch of spans. All that was heard is then judged at once; what is not
    good enough is heard again with safer options, where there are any, and judged again.

    Args:
        opened: From ``open_tables``.
        shard: One of the shards of both tables.
        recognisers: Used for items that are new or changed and have no usable subtitles.
        hearer: Hears with them.
        judge: Knows the rules for recognised speech.
        advance: Told the number of items finished since the last call.

    Raises:
        BackendUnavailableError: The recogniser's weights are not there.
    """
    started = time.perf_counter()
    _forget_unreachable(opened, shard)
    read, heard = _digests(opened, shard, recognisers)
    inputs = _inputs(opened, shard, read, heard)

    def compute(keys: Sequence[str]) -> list[dict[str, Any]]:
        work = ShardWork(
            shard=shard,
            inputs=heard,
            files=opened.files,
            results=opened.results,
            recognisers=recognisers,
            hearer=hearer,
            judge=judge,
            advance=advance,
        )
        texts = work.texts(_items(opened, shard, keys))
        for key, text in texts.items():  # now it shows which of them it was
            inputs[key] = read[key] if text.status == "subtitles" else heard[key]
        rows = [texts[key].as_row(key) for key in keys]
        for row in rows:
            opened.results.write_subtitles(row)
        return rows

    outcome = update_shard(opened.transcripts, shard, inputs=inputs, compute=compute)
    opened.results.publish(shard, outcome.rows)
    log.info("transcribe %s: %d computed, %d reused", shard, len(outcome.computed), outcome.reused)
    return _report(
        shard,
        outcome.rows,
        computed=len(outcome.computed),
        seconds=time.perf_counter() - started,
    )


def reused_report(opened: TranscribeTables, shard: str) -> StageReport:
    """Report of a shard of which nothing was computed in this run."""
    return _report(shard, opened.transcripts.read(shard).to_pylist(), computed=0, seconds=0.0)


def tidy(opened: TranscribeTables) -> None:
    """Make quarantine and WebVTT files agree with the rows, whatever an earlier run left."""
    opened.results.tidy(opened.transcripts)


def _report(
    shard: str, rows: Sequence[Mapping[str, Any]], *, computed: int, seconds: float
) -> StageReport:
    statuses = Counter(str(row["status"]) for row in rows)
    return StageReport(
        stage=STAGE,
        n_in=len(rows),
        n_out=len(rows) - statuses["refused"],
        n_quarantined=statuses["refused"],
        computed=computed,
        reused=len(rows) - computed,
        seconds=seconds,
        digest=digest_rows((row["item_id"], row["digest"]) for row in rows),
        details={
            "shard": shard,
            "statuses": dict(sorted(statuses.items())),
            "media_s": round(sum(row["media_s"] for row in rows), 1),
            "speech_s": round(sum(row["speech_s"] for row in rows), 1),
            "tried_again": sum(row["n_tries"] == 2 for row in rows),
        },
    )


def _items(opened: TranscribeTables, shard: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    wanted = set(keys)
    rows = opened.items.read(shard, _ITEM_COLUMNS).to_pylist()
    return sorted((row for row in rows if row["item_id"] in wanted), key=itemgetter("item_id"))


def _unreachable(opened: TranscribeTables, shard: str) -> set[str]:
    rows = opened.transcripts.read(shard, ["item_id", "problems"]).to_pylist()
    return {
        row["item_id"]
        for row in rows
        if any(problem["reason"] == UNREACHABLE for problem in row["problems"] or ())
    }


def _forget_unreachable(opened: TranscribeTables, shard: str) -> None:
    """Drop rows of media that could not be reached, so that they are tried again."""
    if again := _unreachable(opened, shard):
        rows = opened.transcripts.read(shard).to_pylist()
        opened.transcripts.write(shard, [row for row in rows if row["item_id"] not in again])
