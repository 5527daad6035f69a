"""A fitted recommender as a folder of two plain files: ``state.safetensors`` and ``model.json``."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from plmrec.digests import digest_json, digest_stream
from plmrec.errors import DataContractError

ARRAYS: Final = "state.safetensors"
MODEL: Final = "model.json"

Arrays = Mapping[str, npt.NDArray[Any]]


def write_state(folder: Path, arrays: Arrays, model: Mapping[str, Any]) -> str:
    """Write a fitted state, replacing the folder as a whole.

    Args:
        folder: Where to; created, with its parents.
        arrays: Named arrays of numbers.
        model: JSON values; finite numbers only.

    Returns:
        Digest of the state: the same arrays and values give the same one.
    """
    from safetensors.numpy import save_file

    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    temporary.mkdir(parents=True)
    save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, temporary / ARRAYS)
    text = json.dumps(model, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (temporary / MODEL).write_text(text + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
    return digest_state(folder)


def read_state(folder: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Read a fitted state.

    Raises:
        DataContractError: A file is missing or is not what it should be.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        model = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        return dict(load_file(folder / ARRAYS)), dict(model)
    except (OSError, ValueError, SafetensorError) as err:
        raise DataContractError(
            f"release: expected {ARRAYS} and {MODEL} in {folder.name}, cannot read them: {err}"
        ) from err


def digest_state(folder: Path) -> str:
    """Digest of a state's two files; empty when one of them is missing."""
    if not all((folder / name).is_file() for name in (ARRAYS, MODEL)):
        return ""
    digests = {}
    for name in (ARRAYS, MODEL):
        with (folder / name).open("rb") as stream:
            digests[name] = digest_stream(stream)
    return digest_json(digests)
