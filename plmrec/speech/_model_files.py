"""A speech model's folder: found on disk or on the hub, and identified by its files."""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from plmrec.errors import BackendUnavailableError

# Every file that can change a text; a folder may hold others, such as a README or ONNX weights.
_IDENTITY: Final = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "normalizer.json",
    "vocab.*",
    "merges.txt",
)
_NEEDED: Final = ("config.json", "preprocessor_config.json")


def find_model(model: str, revision: str | None) -> Path:
    """Find a model's folder, downloading it when it is named by its place on the hub.

    Args:
        model: A local folder, or a hub name ``owner/model``.
        revision: Commit, tag or branch of a hub name; ignored otherwise.

    Raises:
        BackendUnavailableError: There is no such model, the hub does not answer, or the folder
            lacks weights in safetensors or a description.
    """
    folder = Path(model).resolve() if Path(model).is_dir() else _hub_folder(model, revision)
    missing = [name for name in _NEEDED if not (folder / name).exists()]
    if not any(folder.glob("*.safetensors")):
        missing.append("*.safetensors")
    if missing:
        raise BackendUnavailableError(
            f"speech: expected {', '.join(missing)} in {folder}, found "
            f"{sorted(file.name for file in folder.iterdir())[:5]}",
            hint="Only safetensors weights are read; convert others first",
        )
    return folder


def file_hashes(folder: Path) -> dict[str, str]:
    """Sha256 of every file that can change a text, by its name."""
    found = {file for pattern in _IDENTITY for file in folder.glob(pattern)}
    return {file.name: _sha256(file) for file in sorted(found)}


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON object of the folder; empty when there is no such file.

    Raises:
        BackendUnavailableError: The file is no JSON object.
    """
    file = folder / name
    if not file.exists():
        return {}
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as err:
        raise BackendUnavailableError(f"speech: {file} is not a JSON object: {err}") from err


def _hub_folder(model: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(_IDENTITY)))
    except HFValidationError as err:
        raise BackendUnavailableError(
            f"speech: expected a folder or a hub name, got {model!r}",
            hint="Correct speech.options.model in params.yaml",
        ) from err
    except OSError as err:  # every error of the hub and of the network is one
        raise BackendUnavailableError(
            f"speech: cannot get {model!r} (revision {revision}) from the hub, and it is not in "
            "the local cache",
            hint="Check name and network, or name a local folder in speech.options.model",
        ) from err


def _sha256(file: Path) -> str:
    status = file.stat()
    return _sha256_of(str(file), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256_of(file: str, size: int, mtime_ns: int) -> str:
    del size, mtime_ns  # parts of the cache's key: a file that changes is read again
    state = sha256()
    with Path(file).open("rb") as stream:
        while chunk := stream.read(1 << 20):
            state.update(chunk)
    return state.hexdigest()
