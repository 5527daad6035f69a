"""The quarantine: every refused row or file, with a reason code and where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

import pyarrow as pa

from plmrec.stores.workspace import Workspace

SCHEMA: Final = pa.schema(
    [
        ("stage", pa.string()),
        ("table", pa.string()),
        ("key", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("origin", pa.string()),
        ("raw", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One refused row or file.

    Attributes:
        stage: Stage that refused it.
        table: ``items``, ``interactions``, ``users`` or ``media``.
        key: Id of the row, as far as it could be read.
        reason: Code such as ``unknown_item``; stable, so that counts can be compared over time.
        detail: One sentence: expected what, got what.
        origin: File and row, such as ``interactions.csv:17``.
        raw: The row as it came, JSON; cut at 10,000 characters with the full length noted.
    """

    stage: str
    table: str
    key: str
    reason: str
    detail: str
    origin: str
    raw: str = ""


class Quarantine:
    """Refusals of a workspace; a (stage, part) is replaced whole, so reruns do not pile up."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def replace(self, stage: str, part: str, refusals: Iterable[Refusal]) -> int:
        """Write the refusals of one part of a stage, replacing what an earlier run wrote.

        Args:
            stage: Such as ``validate``.
            part: Such as ``items`` or ``part-003``.
            refusals: May be empty.

        Returns:
            Number of refusals written.
        """
        rows = [asdict(refusal) for refusal in refusals]
        table = self._workspace.table(f"quarantine/{stage}", key="key", schema=SCHEMA, n_shards=1)
        if rows:
            table.write(part, rows)
        else:
            self._workspace.remove("quarantine", stage, f"{part}.parquet")
        return len(rows)

    def list(self) -> Iterator[Refusal]:
        """Iterate over all refusals, by stage and part."""
        for stage in self._workspace.list("quarantine"):
            table = self._workspace.table(
                f"quarantine/{stage}", key="key", schema=SCHEMA, n_shards=1
            )
            for name in self._workspace.list("quarantine", stage):
                if name.endswith(".parquet"):
                    for row in table.read(name.removesuffix(".parquet")).to_pylist():
                        yield Refusal(**row)
