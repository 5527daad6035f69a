"""From a raw dataset to an accepted one: read, normalise, judge, and change over as a whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from plmrec.digests import digest_json
from plmrec.errors import DataContractError, GateError
from plmrec.params import ValidationParams
from plmrec.quality.base import Judge, Limits, Verdict
from plmrec.stages.frames import interactions_frame, items_frame, users_frame
from plmrec.stages.gate import breach_text, gate_facts
from plmrec.stages.ingest import Ingested, OnRows, ingest
from plmrec.stages.media_intake import MediaIntake, Reference, references_of
from plmrec.stages.normalise import KEYS
from plmrec.stages.raw_files import RawFile
from plmrec.stages.raw_records import raw_json
from plmrec.stages.refusals import Refusals
from plmrec.stages.shard_writer import ShardWriter
from plmrec.stages.staging import DATASET, NEXT, SPILL
from plmrec.stores.tables import ITEMS, interactions_table, items_table, users_table
from plmrec.stores.workspace import Workspace
from plmrec.types import StageReport

STAGE: Final = "validate"
TABLES: Final = ("items", "users", "interactions", "media")
CLOCK_SLACK: Final = timedelta(days=1)
NO_INTERACTIONS: Final = "no interactions: only content can be recommended from"
_OPEN: Final = {
    "items": (items_table, ("item_id",)),
    "users": (users_table, ("user_id",)),
    "interactions": (
        interactions_table,
        ("user_id", "timestamp", "item_id", "event", "value", "text", "extra"),
    ),
}


@dataclass(slots=True, kw_only=True)
class _Counts:
    n_in: int = 0
    n_out: int = 0


@dataclass(slots=True, kw_only=True)
class Validation:
    """One run of the stage.

    Attributes:
        files: The raw files by table.
        workspace: Where the accepted dataset goes, into ``dataset.next/``.
        params: What a dataset must be like.
        n_shards: Shards of every table.
        judge: Applies the rules.
        media: Looks at media files and copies them.
        now: The clock; later timestamps are refused, with a day of slack.
        before: Accepted rows by table in the last run on this source; empty when there is none.
        on_rows: Told about progress.
    """

    files: dict[str, RawFile]
    workspace: Workspace
    params: ValidationParams
    n_shards: int
    judge: Judge
    media: MediaIntake
    now: datetime
    before: dict[str, int]
    on_rows: OnRows | None = None
    earliest_future: datetime | None = None  # first timestamp refused for lying in the future
    _refusals: Refusals = field(init=False)
    _counts: dict[str, _Counts] = field(init=False)
    _known_items: set[str] = field(init=False, default_factory=set)

    def run(self) -> StageReport:
        """Write the accepted tables and media into ``dataset.next/``.

        Returns:
            The report; its digest is still empty.

        Raises:
            DataContractError: A file cannot be read, lacks a column, or there are no items.
            GateError: Too much was refused, or a table shrank too much.
        """
        self._refusals = Refusals(self.workspace, STAGE)
        self._counts = {table: _Counts() for table in TABLES}
        for table in ("items", "users", "interactions"):
            self._validate_table(table)
        self._refusals.finish()
        limits = self._limits()
        facts = gate_facts(
            {table: (counts.n_in, counts.n_out) for table, counts in self._counts.items()},
            before=self.before,
            min_rows=self.params.min_rows_for_shares,
        )
        breaches = self.judge.gate(facts, limits=limits)
        docs = self.judge.publish()
        if breaches:
            raise GateError(
                "validate: " + breach_text(breaches, facts, limits, self._refusals.reasons),
                hint="See `plmrec quarantine list`; the limits are under validation in params.yaml",
            )
        return self._report(docs)

    def _validate_table(self, table: str) -> None:
        open_table, order = _OPEN[table]
        target = open_table(self.workspace, self.n_shards)
        target = dataclasses.replace(target, name=target.name.replace(DATASET, NEXT, 1))
        writer = ShardWriter(target, order)
        if table not in self.files:
            writer.complete(range(self.n_shards))
            return
        rows = self._ingest(table)
        for part, (batch, shards) in enumerate(rows.spill.batches()):
            accepted = self._judged(table, batch, part, needs_timestamp=rows.has_times)
            if table == "items":
                self._known_items.update(accepted["item_id"].to_pylist())
                accepted = self._with_media(accepted, part)
            writer.add(accepted)
            writer.complete(shards)
        self._counts[table].n_in = rows.n_in
        self._counts[table].n_out = writer.n_rows

    def _ingest(self, table: str) -> Ingested:
        raw = self.files[table]
        rows = ingest(
            raw,
            self.workspace.local(SPILL, table),
            refusals=self._refusals,
            n_shards=self.n_shards,
            max_text_chars=self.params.max_text_chars,
            on_rows=self.on_rows,
        )
        if table == "items" and not rows.n_in:
            raise DataContractError(f"{raw.path.name}: expected at least one item, got none")
        return rows

    def _judged(self, table: str, rows: pa.Table, part: int, *, needs_timestamp: bool) -> pa.Table:
        """Refuse the rows that break a rule, and return the others."""
        if not rows.num_rows:
            return rows
        frame = self._frame(table, rows)
        limits = self._limits(needs_timestamp=needs_timestamp)
        verdicts = self.judge.judge(table, frame, limits=limits, part=part)
        if not verdicts:
            return rows
        refused = rows.take([verdict.row for verdict in verdicts]).to_pylist()
        for verdict, row in zip(verdicts, refused, strict=True):
            if verdict.reason == "timestamp_in_future":
                times = [time for time in (self.earliest_future, row["timestamp"]) if time]
                self.earliest_future = min(times)
            self._refusals.add(
                table,
                key=_key(table, row),
                reason=verdict.reason,
                detail=verdict.detail,
                origin=f"{self.files[table].path.name}:{row['number']}",
                raw=row["raw"],
            )
        return _without(rows, [verdict.row for verdict in verdicts])

    def _frame(self, table: str, rows: pa.Table) -> pd.DataFrame:
        if table == "interactions":
            return interactions_frame(rows, self._known_items)
        return items_frame(rows) if table == "items" else users_frame(rows)

    def _with_media(self, items: pa.Table, part: int) -> pa.Table:
        """Give items their media and digests; an item whose file is refused keeps its row."""
        rows = items.to_pylist()
        references = references_of(rows)
        refused: set[Reference] = set()
        if references:
            frame = self.media.facts(references)
            for verdict in self.judge.judge("media", frame, limits=self._limits(), part=part):
                reference = references[verdict.row]
                refused.add(reference)
                self._refuse_file(reference, verdict, rows[reference.row]["number"])
        for reference in references:
            row, name = rows[reference.row], reference.field
            taken = (None, None) if reference in refused else self.media.take(reference)
            row[name], row[f"{name}_digest"] = taken
        self._counts["media"].n_in += len(references)
        self._counts["media"].n_out += len(references) - len(refused)
        for row in rows:
            row["digest"] = digest_json({name: row.get(name) for name in ITEMS.names[:-1]})
        return pa.Table.from_pylist(rows, schema=ITEMS)

    def _refuse_file(self, reference: Reference, verdict: Verdict, number: int) -> None:
        self._refusals.add(
            "media",
            key=reference.item_id,
            reason=verdict.reason,
            detail=f"{reference.field} {reference.path!r:.200}: {verdict.detail}",
            origin=f"{self.files['items'].path.name}:{number}",
            raw=raw_json({"item_id": reference.item_id, reference.field: reference.path}),
        )

    def _limits(self, *, needs_timestamp: bool = True) -> Limits:
        return Limits(
            max_text_chars=self.params.max_text_chars,
            latest_s=(self.now + CLOCK_SLACK).timestamp(),
            needs_timestamp=needs_timestamp,
            lowest_rating=self.params.lowest_rating,
            highest_rating=self.params.highest_rating,
            max_quarantined_share=self.params.max_quarantined_share,
            max_volume_drop=self.params.max_volume_drop,
        )

    def _report(self, docs: str) -> StageReport:
        tables = {
            table: {
                "in": counts.n_in,
                "out": counts.n_out,
                "quarantined": self._refusals.count(table),
            }
            for table, counts in self._counts.items()
        }
        for table, numbers in tables.items():
            if numbers["in"] != numbers["out"] + numbers["quarantined"]:
                raise DataContractError(f"validate: rows of {table} do not add up: {numbers}")
        n_in = sum(numbers["in"] for numbers in tables.values())
        reasons = {table: dict(found) for table, found in sorted(self._refusals.reasons.items())}
        warnings = [] if self._counts["interactions"].n_out else [NO_INTERACTIONS]
        return StageReport(
            stage=STAGE,
            n_in=n_in,
            n_out=sum(numbers["out"] for numbers in tables.values()),
            n_quarantined=sum(numbers["quarantined"] for numbers in tables.values()),
            computed=n_in,
            details={"tables": tables, "reasons": reasons, "warnings": warnings, "data_docs": docs},
        )


def _key(table: str, row: dict[str, Any]) -> str:
    if table == "interactions":
        return f"{row['user_id'] or ''}:{row['item_id'] or ''}"
    return row[KEYS[table]] or ""


def _without(rows: pa.Table, places: Sequence[int]) -> pa.Table:
    keep = np.ones(rows.num_rows, dtype=bool)
    keep[list(places)] = False
    return rows.filter(pa.array(keep))
