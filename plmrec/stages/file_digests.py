"""Digests of files on disk, remembered by size and time of change: big media are read once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plmrec.digests import digest_stream


class FileDigests:
    """Digests of files below one folder.

    Args:
        root: The folder.
        known: What ``as_json`` of an earlier run gave; entries of changed files are ignored.
    """

    def __init__(self, root: Path, known: Mapping[str, Any] | None = None) -> None:
        self.root = root
        self._known = dict(known or {})
        self._used: dict[str, list[Any]] = {}

    def of(self, path: Path) -> str:
        """Digest of a file's content; empty when there is no such file."""
        try:
            status = path.stat()
        except OSError:
            return ""
        name = path.relative_to(self.root).as_posix()
        entry = self._used.get(name) or self._known.get(name)
        stamp = [status.st_size, status.st_mtime_ns]
        if entry is None or entry[:2] != stamp:
            with path.open("rb") as stream:
                entry = [*stamp, digest_stream(stream)]
        self._used[name] = entry
        return str(entry[2])

    def as_json(self) -> dict[str, list[Any]]:
        """The digests asked for in this run, to be kept for the next one."""
        return self._used
