"""Media and subtitles files of accepted items: looked at once, then copied into the workspace."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import pandas as pd

from plmrec.stages.file_digests import FileDigests

FIELDS: Final = ("media", "subtitles")
_URL: Final = re.compile(r"(?:s3|gs|gcs|az|abfs|https?)://", re.IGNORECASE)
_MEDIA: Final = "media/"
_OUTSIDE: Final = "outside"


class Probes(Protocol):
    """What looks into files; both return what is wrong, empty when nothing is."""

    def media_problem(self, path: Path) -> str:
        """Decode the first frame of a media file."""

    def subtitles_problem(self, path: Path) -> str:
        """Find a first cue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One file that an item names.

    Attributes:
        item_id: The item.
        field: ``media`` or ``subtitles``.
        path: As in the item's row.
        row: Position of the item's row in its batch.
    """

    item_id: str
    field: str
    path: str
    row: int


def references_of(rows: Sequence[Mapping[str, Any]]) -> list[Reference]:
    """The files that items name; addresses are not among them."""
    return [
        Reference(item_id=row["item_id"], field=field, path=row[field], row=place)
        for place, row in enumerate(rows)
        for field in FIELDS
        if row[field] and not is_url(row[field])
    ]


def is_url(path: str) -> bool:
    """Tell whether a path is an address that is passed on unread."""
    return _URL.match(path) is not None


class MediaIntake:
    """Finds, checks and copies the files that items name.

    Args:
        target: Folder for the accepted files.
        raw: Digests of the raw dataset's files, whose root must be free of links.
        accepted: Digests of the files accepted by the last run; unchanged ones are linked.
        probes: What looks into files.
        known: Problem by digest, of an earlier run with the same probes.
    """

    def __init__(
        self,
        *,
        target: Path,
        raw: FileDigests,
        accepted: FileDigests,
        probes: Probes,
        known: dict[str, str],
    ) -> None:
        self._source = raw.root
        self._target = target
        self._raw = raw
        self._accepted = accepted
        self._probe: dict[str, Callable[[Path], str]] = {
            "media": probes.media_problem,
            "subtitles": probes.subtitles_problem,
        }
        self._known = known
        self.problems: dict[str, str] = {}
        self.seen: dict[str, str] = {}  # path as named: digest, for the next run's comparison
        self._stored: dict[str, str] = {}  # name in the workspace: digest

    def digest_of(self, path: str) -> str:
        """Digest of the file that a path names; empty or ``outside`` when it may not be read."""
        found = self._find(path)
        if "://" in path or not found.is_relative_to(self._source):
            return _OUTSIDE
        return self._raw.of(found) if _is_file(found) else ""

    def facts(self, references: Sequence[Reference]) -> pd.DataFrame:
        """Look at files; one row per reference, with the columns of the rules for media."""
        return pd.DataFrame([self._facts(reference) for reference in references])

    @property
    def accepted(self) -> dict[str, list[Any]]:
        """Digests of accepted files that were looked at, for the next run."""
        return self._accepted.as_json()

    def take(self, reference: Reference) -> tuple[str, str]:
        """Copy an accepted file; return its name below ``target`` and its digest."""
        path = self._find(reference.path)
        digest = self._raw.of(path)
        name = path.relative_to(self._source).as_posix().removeprefix(_MEDIA)
        if self._stored.get(name, digest) != digest:  # x.wav and media/x.wav, both in use
            name = f"{digest[:8]}/{name}"
        if name not in self._stored:
            self._copy(path, name, digest)
            self._stored[name] = digest
        return name, digest

    def _facts(self, reference: Reference) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "item_id": reference.item_id,
            "path": reference.path,
            "inside_dataset": True,
            "exists": True,
            "size_bytes": 1,
            "media_problem": None,
            "subtitles_problem": None,
        }
        self.seen[reference.path] = digest = self.digest_of(reference.path)
        if digest == _OUTSIDE:
            return facts | {"inside_dataset": False}
        path = self._find(reference.path)
        if not digest:
            return facts | {"exists": False}
        if not (size := path.stat().st_size):
            return facts | {"size_bytes": size}
        problem = self._problem(reference.field, path, digest)
        return facts | {"size_bytes": size, f"{reference.field}_problem": problem or None}

    def _problem(self, field: str, path: Path, digest: str) -> str:
        key = f"{field}:{digest}"
        if key not in self.problems:
            known = self._known.get(key)
            self.problems[key] = self._probe[field](path) if known is None else known
        return self.problems[key]

    def _find(self, path: str) -> Path:
        """The file a path names: below the dataset's folder, or below its ``media/``."""
        try:
            whole = (self._source / path).resolve()
            short = (self._source / _MEDIA / path).resolve()
        except (OSError, ValueError, RuntimeError):  # a name no file can have, a loop of links
            return self._source / "no such file"
        return short if not _is_file(whole) and _is_file(short) else whole

    def _copy(self, path: Path, name: str, digest: str) -> None:
        target, before = self._target / name, self._accepted.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if self._accepted.of(before) == digest:
            try:
                os.link(before, target)
            except OSError:  # a file system without links
                shutil.copy2(before, target)
        else:
            shutil.copyfile(path, target)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()  # not a folder, pipe or device
    except OSError:
        return False
