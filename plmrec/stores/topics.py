"""Versions of the topics in the workspace: a folder each, written once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from plmrec.errors import MissingStageError
from plmrec.stores.workspace import Workspace

_FOLDER: Final = "topics"


def topics_versions(workspace: Workspace) -> list[int]:
    """Versions in the workspace, oldest first."""
    return sorted(int(name) for name in workspace.list(_FOLDER) if name.isdecimal())


def save_topics(
    workspace: Workspace,
    version: int,
    described: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[np.float32]],
) -> None:
    """Write a new version; its description comes last, so that a folder with one is whole."""
    folder = (_FOLDER, str(version))
    workspace.write_bytes(safetensors.numpy.save(dict(arrays)), *folder, "vectors.safetensors")
    workspace.write_json(dict(described), *folder, "topics.json")


def load_topics(
    workspace: Workspace, version: int | None = None
) -> tuple[dict[str, Any], dict[str, npt.NDArray[np.float32]]]:
    """Read a version of the topics, the newest when None: its description and its arrays.

    Raises:
        MissingStageError: There is none, or no such version.
    """
    versions = topics_versions(workspace)
    wanted = version if version is not None else (versions or [0])[-1]
    folder = (_FOLDER, str(wanted))
    if not workspace.exists(*folder, "topics.json"):
        raise MissingStageError(
            f"topics: expected version {wanted or 1} in {workspace.root}, found {versions}",
            hint="Run plmrec understand first",
        )
    arrays = safetensors.numpy.load(workspace.read_bytes(*folder, "vectors.safetensors"))
    return dict(workspace.read_json(*folder, "topics.json")), arrays
