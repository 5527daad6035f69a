"""What the last validation saw: so that the next one can tell that nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import plmrec
from plmrec.digests import digest_json
from plmrec.errors import MissingStageError
from plmrec.params import Params
from plmrec.stages.file_digests import FileDigests
from plmrec.stages.media_intake import MediaIntake
from plmrec.stages.raw_files import RawFile
from plmrec.stages.staging import DATASET
from plmrec.stages.validate import CLOCK_SLACK
from plmrec.stores.workspace import Workspace

_FILE: Final = ("state", "validate.json")
_CODE: Final = (  # what turns a raw row into an accepted or refused one
    "quality/great_expectations_judge.py",
    "quality/media.py",
    "quality/suites.py",
    "stages/frames.py",
    "stages/gate.py",
    "stages/ingest.py",
    "stages/media_intake.py",
    "stages/normalise.py",
    "stages/raw_csv.py",
    "stages/raw_files.py",
    "stages/raw_records.py",
    "stages/shard_writer.py",
    "stages/validate.py",
    "stores/tables.py",
    "text/cleaning.py",
    "text/subtitles.py",
    "text/values.py",
)


@dataclass(slots=True, kw_only=True)
class LastValidation:
    """The inputs and results of a validation that succeeded.

    Attributes:
        identity: Digest of table files, parameters and code.
        source: Folder of the raw dataset.
        raw: Size, time of change and digest by raw file.
        accepted: The same of accepted media.
        tree: The same, in DVC's digests, of all files of ``dataset/``.
        problems: What was wrong with a media file, by its digest; empty when nothing was.
        media: Digest by path that an item names, as it was then.
        earliest_future: Earliest time that was refused for lying in the future, ISO 8601.
        report: The report of that run.
    """

    identity: str = ""
    source: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    accepted: dict[str, Any] = field(default_factory=dict)
    tree: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)
    earliest_future: str | None = None
    report: dict[str, Any] = field(default_factory=dict)

    def save(self, workspace: Workspace) -> None:
        """Write it into the workspace."""
        workspace.write_json(asdict(self), *_FILE)

    def is_current(self, identity: str, media: MediaIntake, now: datetime) -> bool:
        """Tell whether another run would give the same result."""
        if identity != self.identity:
            return False
        if self.earliest_future and datetime.fromisoformat(self.earliest_future) <= (
            now + CLOCK_SLACK
        ):
            return False  # what lay in the future has come to pass
        return all(media.digest_of(path) == digest for path, digest in self.media.items())


def load_last(workspace: Workspace, source: Path) -> LastValidation:
    """Read what the last validation saw; empty when there was none, or of another source."""
    try:
        values = workspace.read_json(*_FILE)
        last = LastValidation(**values)
    except (MissingStageError, TypeError, ValueError):
        return LastValidation(source=str(source))
    return last if last.source == str(source) else LastValidation(source=str(source))


def last_source(workspace: Workspace) -> str:
    """Folder of the raw dataset that was validated last.

    Raises:
        MissingStageError: None was validated in this workspace.
    """
    try:
        return str(workspace.read_json(*_FILE)["source"])
    except (MissingStageError, KeyError) as err:
        raise MissingStageError(
            "validate: expected the folder of a dataset, got none, and none was validated before",
            hint="Name one: `plmrec validate --dataset DIR`, or the parameter `dataset` of the DAG",
        ) from err


def input_identity(files: Mapping[str, RawFile], digests: FileDigests, params: Params) -> str:
    """Digest of everything that decides the result, but for media and the clock."""
    return digest_json(
        {
            "files": {raw.path.name: digests.of(raw.path) for raw in files.values()},
            "validation": params.validation.model_dump(),
            "shards": params.shards,
            "code": _code_digest(),
        }
    )


def accepted_before(workspace: Workspace, source: str) -> dict[str, int]:
    """Accepted rows by table in the dataset that is there; empty when it has another source."""
    if not workspace.exists(DATASET, "manifest.json"):
        return {}
    manifest = workspace.read_json(DATASET, "manifest.json")
    return dict(manifest["counts"]) if manifest.get("source") == source else {}


def _code_digest() -> str:
    package = Path(plmrec.__file__).parent
    digests = FileDigests(package)
    return digest_json({name: digests.of(package / name) for name in _CODE})
