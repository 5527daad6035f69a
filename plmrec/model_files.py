"""Folders of pre-trained models: fetched from a hub by name, identified by their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from plmrec.errors import BackendUnavailableError


def hub_folder(
    family: str, model: str, revision: str | None, *, patterns: Sequence[str], accepted: str
) -> Path:
    """Local folder of a model of the hub, downloaded when it is not in the cache.

    Args:
        family: Section of params.yaml that names the model, for the messages.
        model: Name on the hub.
        revision: Commit; the newest when None.
        patterns: Files to fetch, as globs.
        accepted: What the option may hold, for the message about a bad name.

    Raises:
        BackendUnavailableError: It is no name, or the hub cannot be reached and the cache has
            no copy.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(patterns)))
    except HFValidationError as err:
        raise BackendUnavailableError(
            f"{family}: expected {accepted}, got {model!r}",
            hint=f"Correct {family}.options.model in params.yaml",
        ) from err
    except OSError as err:  # every error of the hub and of the network is one
        raise BackendUnavailableError(
            f"{family}: cannot get {model!r} (revision {revision}) from the hub, and it is not in "
            "the local cache",
            hint=f"Check name and network, or name a local folder in {family}.options.model",
        ) from err


def file_sha256(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal; remembered until its size or time changes."""
    status = file.stat()
    return _sha256_of(str(file), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _sha256_of(file: str, size: int, mtime_ns: int) -> str:
    del size, mtime_ns  # parts of the cache's key: a file that changes is read again
    state = sha256()
    with Path(file).open("rb") as stream:
        while chunk := stream.read(1 << 20):
            state.update(chunk)
    return state.hexdigest()
