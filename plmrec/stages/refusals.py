"""Refused rows on their way into the quarantine, counted by table and reason."""

from __future__ import annotations

from collections import Counter
from typing import Final

from plmrec.stores.quarantine import Quarantine, Refusal
from plmrec.stores.workspace import Workspace

_PART_ROWS: Final = 5_000


class Refusals:
    """Writes refusals of one stage in parts of bounded size, replacing those of its last run.

    Args:
        workspace: Where the quarantine lives.
        stage: Such as ``validate``.
    """

    def __init__(self, workspace: Workspace, stage: str) -> None:
        self._workspace = workspace
        self._quarantine = Quarantine(workspace)
        self._stage = stage
        self._waiting: list[Refusal] = []
        self._parts: list[str] = []
        self.reasons: dict[str, Counter[str]] = {}

    def add(self, table: str, *, key: str, reason: str, detail: str, origin: str, raw: str) -> None:
        """Refuse one row or file."""
        self._waiting.append(
            Refusal(
                stage=self._stage,
                table=table,
                key=key,
                reason=reason,
                detail=detail,
                origin=origin,
                raw=raw,
            )
        )
        self.reasons.setdefault(table, Counter())[reason] += 1
        if len(self._waiting) >= _PART_ROWS:
            self._flush()

    def count(self, table: str) -> int:
        """Refused rows of a table so far."""
        return sum(self.reasons.get(table, Counter()).values())

    def finish(self) -> None:
        """Write what waits, and remove what is left of the last run."""
        self._flush()
        for name in self._workspace.list("quarantine", self._stage):
            if name.removesuffix(".parquet") not in self._parts:
                self._quarantine.replace(self._stage, name.removesuffix(".parquet"), [])

    def _flush(self) -> None:
        if self._waiting:
            part = f"part-{len(self._parts):04d}"
            self._quarantine.replace(self._stage, part, self._waiting)
            self._parts.append(part)
            self._waiting = []
