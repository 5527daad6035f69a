"""Things of a workspace that come in versions: a folder each, written once and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from plmrec.errors import MissingStageError
from plmrec.stores.workspace import Workspace

_ARRAYS: Final = "vectors.safetensors"


class Versions:
    """Versions 1, 2, 3 and so on of one thing: a description, and arrays that go with it.

    Args:
        workspace: Where they are.
        name: Of the thing and of its folder, such as ``taxonomy``.
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        self._workspace = workspace
        self._name = name

    def all(self) -> list[int]:
        """Versions in the workspace, oldest first."""
        return sorted(int(name) for name in self._workspace.list(self._name) if name.isdecimal())

    def save(
        self,
        version: int,
        described: Mapping[str, Any],
        arrays: Mapping[str, npt.NDArray[np.float32]],
    ) -> None:
        """Write a new version; its description comes last, so that a folder with one is whole."""
        folder = (self._name, str(version))
        self._workspace.write_bytes(safetensors.numpy.save(dict(arrays)), *folder, _ARRAYS)
        self._workspace.write_json({"version": version, **described}, *folder, self._file)

    def describe(self, version: int | None = None) -> dict[str, Any]:
        """Description of a version, the newest when None.

        Raises:
            MissingStageError: There is none, or no such version.
        """
        versions = self.all()
        wanted = version if version is not None else (versions or [0])[-1]
        place = (self._name, str(wanted), self._file)
        if not self._workspace.exists(*place):
            raise MissingStageError(
                f"{self._name}: expected version {wanted or 1} in {self._workspace.root}, found "
                f"{versions}",
                hint="Run plmrec understand first",
            )
        return dict(self._workspace.read_json(*place))

    def load(
        self, version: int | None = None
    ) -> tuple[dict[str, Any], dict[str, npt.NDArray[np.float32]]]:
        """Description and arrays of a version, the newest when None.

        Raises:
            MissingStageError: There is none, or no such version.
        """
        described = self.describe(version)
        place = (self._name, str(described["version"]), _ARRAYS)
        return described, safetensors.numpy.load(self._workspace.read_bytes(*place))

    @property
    def _file(self) -> str:
        return f"{self._name}.json"
