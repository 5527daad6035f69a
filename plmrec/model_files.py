"""Folders of pre-trained models: found or fetched by name, identified by their bytes, and loaded.

What guards the loading stands here alone: weights are safetensors, no code of a model is run, and
nothing is fetched but the files that a model is identified by.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar

from plmrec.errors import BackendUnavailableError

# Files that change what any model of the transformers library answers; each family adds its own.
# A folder may hold others, such as a README or ONNX weights.
TRANSFORMERS_FILES: Final = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
)
LOCAL_ONLY: Final = {"local_files_only": True, "trust_remote_code": False}
SAFE_WEIGHTS: Final = {**LOCAL_ONLY, "use_safetensors": True}

_Json = TypeVar("_Json", dict[str, Any], list[Any])


def find_folder(  # noqa: PLR0913
    family: str,
    model: str,
    revision: str | None,
    *,
    patterns: Sequence[str],
    needed: Sequence[str] = ("config.json", "*.safetensors"),
    accepted: str = "a folder or a hub name",
    hint: str = "Only safetensors weights are read; convert others first",
) -> Path:
    """Find a model's folder, downloading it when it is named by its place on the hub.

    Args:
        family: Section of params.yaml that names the model, for the messages.
        model: A local folder, or a hub name ``owner/model``.
        revision: Commit, tag or branch of a hub name; ignored otherwise.
        patterns: Files to fetch, as globs.
        needed: Files that must be there, as globs.
        accepted: What the option may hold, for the message about a bad name.
        hint: What to do when files are missing.

    Raises:
        BackendUnavailableError: There is no such model, the hub does not answer, or files that
            are needed are missing.
    """
    folder = Path(model)
    folder = (
        folder.resolve()
        if folder.is_dir()
        else _hub_folder(family, model, revision, patterns=patterns, accepted=accepted)
    )
    if missing := [pattern for pattern in needed if not any(folder.glob(pattern))]:
        raise BackendUnavailableError(
            f"{family}: expected {' and '.join(missing)} in {folder}, found "
            f"{sorted(file.name for file in folder.iterdir())[:5]}",
            hint=hint,
        )
    return folder


def _hub_folder(
    family: str, model: str, revision: str | None, *, patterns: Sequence[str], accepted: str
) -> Path:
    """Local folder of a model of the hub, downloaded when it is not in the cache."""
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


def load_part(kind: str, folder: Path) -> Any:
    """Load a tokenizer, a config or a feature extractor of a local folder.

    Args:
        kind: Name of a class of the transformers library, such as ``AutoTokenizer``.
        folder: Where its files are.
    """
    import transformers

    return getattr(transformers, kind).from_pretrained(str(folder), **LOCAL_ONLY)


def load_weights(
    kind: str,
    folder: Path,
    *,
    who: str,
    hint: str,
    dtype: str = "auto",
    may_miss: Callable[[Any, str], bool] = lambda _model, _key: False,
) -> tuple[Any, list[str]]:
    """Load a model; a weight that is missing from its files is an error, not a guess.

    Args:
        kind: Name of a class of the transformers library, such as ``AutoModel``.
        folder: Where its files are.
        who: Whose model it is, for the messages.
        hint: What to do when the folder holds no such model.
        dtype: Name of the torch.dtype to keep the weights in; ``auto``: as they are saved.
        may_miss: Tells of the loaded model and the name of a weight whether it may be missing.

    Returns:
        The model, and the names of the weights that are missing and may be.

    Raises:
        BackendUnavailableError: It is of another kind, or weights are missing.
    """
    import transformers

    quiet_transformers()
    try:
        model, info = getattr(transformers, kind).from_pretrained(
            str(folder), **SAFE_WEIGHTS, dtype=dtype, output_loading_info=True
        )
    except (OSError, ValueError) as err:
        raise BackendUnavailableError(
            f"{who}: cannot load {folder} as {kind}: {err}", hint=hint
        ) from err
    missing = sorted(info["missing_keys"])
    lost = [key for key in missing if not may_miss(model, key)]
    if lost or info["mismatched_keys"]:
        raise BackendUnavailableError(
            f"{who}: expected all weights of a {kind} in {folder}, missing {lost[:5]}",
            hint="Name a model that was trained for this, or download it again",
        )
    return model, missing


def quiet_transformers() -> None:
    """Keep the library's bars and notes off the screen; ours are enough."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def read_json(who: str, file: Path, kind: type[_Json]) -> _Json:
    """Read a JSON object or list; empty when there is no such file.

    Args:
        who: Whose file it is, for the messages.
        file: What to read.
        kind: ``dict`` or ``list``.

    Raises:
        BackendUnavailableError: The file is no JSON of this kind.
    """
    if not file.exists():
        return kind()
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as err:
        raise BackendUnavailableError(f"{who}: {file} is not JSON: {err}") from err
    if not isinstance(value, kind):
        raise BackendUnavailableError(
            f"{who}: expected a JSON {kind.__name__} in {file}, got a {type(value).__name__}"
        )
    return value


def file_hashes(folder: Path, patterns: Sequence[str]) -> dict[str, str]:
    """SHA-256 of every file of a folder that matches a glob, by its path in the folder."""
    found = {file for pattern in patterns for file in folder.glob(pattern)}
    return {file.relative_to(folder).as_posix(): file_sha256(file) for file in sorted(found)}


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
