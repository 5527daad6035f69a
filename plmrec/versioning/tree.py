"""The digest that DVC gives a folder, computed without DVC: for a quick look whether it changed."""

from __future__ import annotations

import json
from collections.abc import Collection
from hashlib import file_digest, md5
from pathlib import Path
from typing import Any, Final

MANIFEST: Final = "manifest.json"


def tree_digest(
    folder: Path,
    *,
    ignored: Collection[str] = (MANIFEST,),
    known: dict[str, list[Any]] | None = None,
) -> str:
    """Digest of a folder's file names and contents, as DVC 3 computes it.

    Args:
        folder: Any folder.
        known: Size, time of change and MD5 by relative path, from an earlier call; brought up to
            date, so that an unchanged file is not read again.
        ignored: Relative paths of files that do not count; the workspace's ``.dvcignore`` names
            the same.

    Returns:
        32 hexadecimal digits and ``.dir``: the MD5 of the JSON list of (MD5, relative path).
    """
    known = {} if known is None else known
    entries = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in ignored:
            status = path.stat()
            stamp = [status.st_size, status.st_mtime_ns]
            if known.get(name, [])[:2] != stamp:
                with path.open("rb") as stream:
                    content = file_digest(stream, lambda: md5(usedforsecurity=False))
                known[name] = [*stamp, content.hexdigest()]
            entries.append({"md5": known[name][2], "relpath": name})
    for gone in known.keys() - {str(entry["relpath"]) for entry in entries}:
        del known[gone]
    entries.sort(key=lambda entry: str(entry["relpath"]))
    listing = json.dumps(entries, sort_keys=True).encode()
    return md5(listing, usedforsecurity=False).hexdigest() + ".dir"
