"""A workspace as validate leaves it: items with media and subtitles files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from plmrec.digests import digest_json, shard_of
from plmrec.stores.tables import items_table
from plmrec.stores.workspace import Workspace

N_SHARDS = 2


def write_items(
    workspace: Workspace,
    items: Iterable[Mapping[str, Any]],
    *,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Replace the items, and write files into ``dataset/media``.

    Args:
        workspace: Where to write.
        items: ``item_id``, and where they have some ``media``, ``subtitles``, ``language``.
            Digests follow from the files given now or before.
        files: Bytes by name.
    """
    for name, data in (files or {}).items():
        workspace.write_bytes(data, "dataset", "media", name)
    table = items_table(workspace, N_SHARDS)
    rows = []
    for item in items:
        row = dict.fromkeys(table.schema.names) | {"kind": "video", "title": "A title"} | dict(item)
        for field in ("media", "subtitles"):
            if row[field] and row[f"{field}_digest"] is None:
                row[f"{field}_digest"] = _digest(workspace, row[field])
        rows.append(row | {"digest": digest_json(row)})
    for number, shard in enumerate(table.shards):
        mine = [row for row in rows if shard_of(row["item_id"], N_SHARDS) == number]
        table.write(shard, sorted(mine, key=lambda row: row["item_id"]))


def _digest(workspace: Workspace, name: str) -> str | None:
    path = ("dataset", "media", name)
    if "://" in name or ".." in name or name.startswith("/") or not workspace.exists(*path):
        return None
    return digest_json(workspace.read_bytes(*path).hex())
