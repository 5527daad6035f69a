"""What transcribe writes beside its table: subtitles, quarantine, and notes of unfinished runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from plmrec.stages.item_text import STAGE, ItemText, refusals_of
from plmrec.stores.quarantine import Quarantine
from plmrec.stores.workspace import ShardedTable, Workspace
from plmrec.text.file_names import file_name_of
from plmrec.text.subtitles import write_srt, write_webvtt
from plmrec.types import Segment

_FORMATS: Final = {"vtt": write_webvtt, "srt": write_srt}  # also the names of their folders
_KEPT: Final = ("transcripts", ".done")


def subtitles_name(item_id: str, kind: str) -> str:
    """Name of an item's file in ``transcripts/vtt`` or ``transcripts/srt``."""
    return f"{file_name_of(item_id)}.{kind}"


class TranscriptFiles:
    """Files that go with the rows of the transcripts.

    An item's subtitles are written before its row, so every row with text has them; ``tidy``
    removes what the rows do not call for.

    Args:
        workspace: Where they lie.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def write_subtitles(self, row: Mapping[str, Any]) -> None:
        """Write an item's WebVTT and SRT files; remove them when it has no text any more."""
        segments = [Segment(**segment) for segment in row["segments"] or ()]
        for kind, write in _FORMATS.items():
            path = ("transcripts", kind, subtitles_name(row["item_id"], kind))
            if segments:
                self._workspace.write_bytes(write(segments).encode(), *path)
            else:
                self._workspace.remove(*path)

    def keep(self, shard: str, item_id: str, text: ItemText, input_digest: str) -> None:
        """Keep what was heard of an item until its shard is written."""
        name = f"{file_name_of(item_id)}.json"
        value = {"input": input_digest, "text": text.as_json()}
        self._workspace.write_json(value, *_KEPT, shard, name)

    def kept(self, shard: str, item_id: str, input_digest: str) -> ItemText | None:
        """What an interrupted run had heard of an item, if its inputs are the same."""
        path = (*_KEPT, shard, f"{file_name_of(item_id)}.json")
        if not self._workspace.exists(*path):
            return None
        found = self._workspace.read_json(*path)
        return ItemText.from_json(found["text"]) if found["input"] == input_digest else None

    def publish(self, shard: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Follow up on a shard that was written: list its refused files, forget what was kept."""
        refusals = [refusal for row in rows for refusal in refusals_of(row)]
        Quarantine(self._workspace).replace(STAGE, shard, refusals)
        self._workspace.remove(*_KEPT, shard)

    def tidy(self, transcripts: ShardedTable) -> None:
        """Make quarantine and subtitles agree with all rows, whatever earlier runs left."""
        existing = {kind: set(self._workspace.list("transcripts", kind)) for kind in _FORMATS}
        expected: dict[str, set[str]] = {kind: set() for kind in _FORMATS}
        for shard in transcripts.shards:
            rows = transcripts.read(shard).to_pylist()
            self.publish(shard, rows)
            for row in rows:
                if row["segments"]:
                    names = {kind: subtitles_name(row["item_id"], kind) for kind in _FORMATS}
                    for kind, name in names.items():
                        expected[kind].add(name)
                    if any(name not in existing[kind] for kind, name in names.items()):
                        self.write_subtitles(row)
        for kind in _FORMATS:
            for name in existing[kind] - expected[kind]:
                self._workspace.remove("transcripts", kind, name)
        for part in self._workspace.list("quarantine", STAGE):
            if part.removesuffix(".parquet") not in transcripts.shards:
                self._workspace.remove("quarantine", STAGE, part)
        self._workspace.remove(*_KEPT)


class ShardNotes:
    """Notes on the long media of one shard, a small file each; see ``hearing.Notes``.

    Args:
        workspace: Where they lie, until the shard is written.
        shard: Name of the shard.
        inputs: Of each item, the digest of what its notes depend on; older ones do not count.
    """

    def __init__(self, workspace: Workspace, shard: str, inputs: Mapping[str, str]) -> None:
        self._workspace = workspace
        self._shard = shard
        self._inputs = inputs

    def read(self, key: str) -> list[dict[str, Any]]:
        """See Notes.read."""
        folder = self._folder(key)
        names = self._workspace.list(*folder)
        return [dict(self._workspace.read_json(*folder, name)) for name in names if name[0] != "."]

    def add(self, key: str, number: int, note: dict[str, Any]) -> None:
        """See Notes.add."""
        self._workspace.write_json(note, *self._folder(key), f"{number:06d}.json")

    def _folder(self, key: str) -> tuple[str, ...]:
        return (*_KEPT, self._shard, f"{file_name_of(key)}.{self._inputs[key][:16]}.notes")
