"""What transcribe writes beside its table: WebVTT, quarantine, and items of unfinished shards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from plmrec.stages.item_text import STAGE, refusals_of
from plmrec.stores.quarantine import Quarantine
from plmrec.stores.workspace import ShardedTable, Workspace
from plmrec.text.file_names import file_name_of
from plmrec.text.subtitles import write_webvtt
from plmrec.types import Segment

_VTT: Final = ("transcripts", "vtt")
_KEPT: Final = ("transcripts", ".done")


def vtt_name(item_id: str) -> str:
    """Name of an item's WebVTT file in ``transcripts/vtt``."""
    return f"{file_name_of(item_id)}.vtt"


class TranscriptFiles:
    """Files that go with the rows of the transcripts.

    An item's WebVTT file is written before its row, so every row with text has one; ``tidy``
    removes what the rows do not call for.

    Args:
        workspace: Where they lie.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def write_vtt(self, row: Mapping[str, Any]) -> None:
        """Write an item's WebVTT file, or remove it when the item has no text any more."""
        name = vtt_name(row["item_id"])
        if row["segments"]:
            text = write_webvtt(Segment(**segment) for segment in row["segments"])
            self._workspace.write_bytes(text.encode(), *_VTT, name)
        else:
            self._workspace.remove(*_VTT, name)

    def keep(self, shard: str, row: Mapping[str, Any], input_digest: str) -> None:
        """Keep the row of an item until its shard is written."""
        name = f"{file_name_of(row['item_id'])}.json"
        self._workspace.write_json({"input": input_digest, "row": row}, *_KEPT, shard, name)

    def kept(self, shard: str, item_id: str, input_digest: str) -> dict[str, Any] | None:
        """Row of an item that an interrupted run had finished, if its inputs are the same."""
        path = (*_KEPT, shard, f"{file_name_of(item_id)}.json")
        if not self._workspace.exists(*path):
            return None
        found = self._workspace.read_json(*path)
        return dict(found["row"]) if found["input"] == input_digest else None

    def publish(self, shard: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Follow up on a shard that was written: list its refused files, forget what was kept."""
        refusals = [refusal for row in rows for refusal in refusals_of(row)]
        Quarantine(self._workspace).replace(STAGE, shard, refusals)
        self._workspace.remove(*_KEPT, shard)

    def tidy(self, transcripts: ShardedTable) -> None:
        """Make quarantine and WebVTT files agree with all rows, whatever earlier runs left."""
        existing = set(self._workspace.list(*_VTT))
        expected = set()
        for shard in transcripts.shards:
            rows = transcripts.read(shard).to_pylist()
            self.publish(shard, rows)
            for row in rows:
                if row["segments"]:
                    expected.add(name := vtt_name(row["item_id"]))
                    if name not in existing:
                        self.write_vtt(row)
        for name in existing - expected:
            self._workspace.remove(*_VTT, name)
        for part in self._workspace.list("quarantine", STAGE):
            if part.removesuffix(".parquet") not in transcripts.shards:
                self._workspace.remove("quarantine", STAGE, part)
        self._workspace.remove(*_KEPT)
