"""What a judge of data promises, and how it speaks: verdicts on rows, breaches of a gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One row that is refused.

    Attributes:
        row: Position in the frame that was judged, from 0.
        reason: Code of the first rule that the row breaks.
        detail: ``<column>: expected X, got Y``.
    """

    row: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The numbers in the rules.

    Attributes:
        max_text_chars: Longest text field, characters.
        latest_s: Latest timestamp that can be true, Unix seconds.
        needs_timestamp: False for a dataset without any times.
        lowest_rating: Smallest value of a rating.
        highest_rating: Largest value of a rating.
        max_quarantined_share: Largest share of a table that may be refused.
        max_volume_drop: Largest share of rows that a table may have lost since the last run.
    """

    max_text_chars: int
    latest_s: float
    needs_timestamp: bool = True
    lowest_rating: float = 0.0
    highest_rating: float = 10.0
    max_quarantined_share: float = 1.0
    max_volume_drop: float = 1.0


class Judge(Protocol):
    """Judges rows by the rules of their table, and a dataset by its numbers."""

    def judge(self, table: str, frame: pd.DataFrame, *, limits: Limits, part: int) -> list[Verdict]:
        """Return the refused rows, at most one verdict a row, in the order of the rows.

        Args:
            table: ``items``, ``interactions``, ``users`` or ``media``.
            frame: The columns that ``plmrec.stages.frames`` makes for that table.
            limits: The numbers in the rules.
            part: Number of the batch within the table, from 0.
        """

    def gate(self, facts: Mapping[str, float], *, limits: Limits) -> list[str]:
        """Return the names of the facts that must stop the run.

        Args:
            facts: ``items_out``, and per table ``<table>_refused_share`` and
                ``<table>_volume_drop`` where they are to be judged.
            limits: The numbers in the rules.
        """

    def publish(self) -> str:
        """Write the report for people and return the path of its first page."""
