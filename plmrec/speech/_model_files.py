"""A speech model's folder: found on disk or on the hub, and identified by its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from plmrec.errors import BackendUnavailableError
from plmrec.model_files import file_sha256, hub_folder

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
    folder = (
        Path(model).resolve()
        if Path(model).is_dir()
        else hub_folder(
            "speech",
            model,
            revision,
            patterns=_IDENTITY,
            accepted="a folder or a hub name",
        )
    )
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
    return {file.name: file_sha256(file) for file in sorted(found)}


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
