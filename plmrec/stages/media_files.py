"""The files that items name: in the workspace's ``dataset/media``, or at an address."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import PurePosixPath
from typing import BinaryIO, Final, cast

import fsspec

from plmrec.errors import MissingStageError
from plmrec.speech._media import MediaError
from plmrec.stores.workspace import Workspace

MISSING: Final = "media_missing"
UNREACHABLE: Final = "media_unreachable"  # may be there again the next time

_FOLDER: Final = ("dataset", "media")
_ADDRESS: Final = re.compile(r"(?:s3|gs|gcs|az|abfs|https?)://", re.IGNORECASE)
_CHUNK: Final = 1 << 20
_MAX_DOWNLOAD: Final = 8 << 30  # bytes


class MediaFiles:
    """Opens files by the names that items have for them.

    Args:
        workspace: Holds the accepted files.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def is_there(self, name: str) -> bool:
        """Tell whether a file is in the workspace; addresses count as being there."""
        return is_address(name) or (_is_inside(name) and self._workspace.exists(*_FOLDER, name))

    def n_bytes(self, name: str) -> int | None:
        """Size of a file in the workspace; None for an address, or when it is not there."""
        if is_address(name):
            return None
        try:
            with self.open(name) as file:
                return file.seek(0, 2)
        except (MediaError, OSError):
            return None

    def open(self, name: str) -> BinaryIO:
        """Open a file, seekable; what lies at an address is downloaded to a temporary file.

        Raises:
            MediaError: It is not there, cannot be reached, or lies outside the dataset.
        """
        if is_address(name):
            return _download(name)
        if not _is_inside(name) or not self._stays_inside(name):
            raise MediaError(
                f"media: expected a file inside the dataset, got {name!r}",
                reason="path_outside_dataset",
            )
        try:
            return self._workspace.open(*_FOLDER, name)
        except (MissingStageError, OSError, ValueError) as err:
            raise MediaError(
                f"media: expected a file {name!r}, found none that can be read",
                hint="Run plmrec validate again",
                reason=MISSING,
            ) from err

    def _stays_inside(self, name: str) -> bool:
        """Tell whether a name stays in the folder when links are followed."""
        if not self._workspace.is_local:
            return True
        root = self._workspace.local(*_FOLDER).resolve()
        try:
            return (root / name).resolve().is_relative_to(root)
        except (OSError, ValueError, RuntimeError):  # a name no file can have, a loop of links
            return False


def is_address(name: str) -> bool:
    """Tell whether a name is an address such as ``https://…`` or ``s3://…``."""
    return _ADDRESS.match(name) is not None


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _download(address: str) -> BinaryIO:
    file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115, the caller closes it
    try:
        with fsspec.open(address, "rb") as remote:
            while chunk := remote.read(_CHUNK):
                file.write(chunk)
                if file.tell() > _MAX_DOWNLOAD:
                    raise MediaError(
                        f"media: expected at most {_MAX_DOWNLOAD:,} bytes at {_host(address)}",
                        reason="media_too_long",
                    )
    except _network_errors() as err:
        file.close()
        raise MediaError(
            f"media: expected a file at {_host(address)}, got {type(err).__name__}",
            hint="Check the address and the network; the next run tries again",
            reason=UNREACHABLE,
        ) from err
    file.seek(0)
    return file


def _host(address: str) -> str:
    """The part of an address that holds no signature or password."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0].rpartition('@')[2]}"


def _network_errors() -> tuple[type[Exception], ...]:
    """What file systems raise; those of libraries count when the libraries are loaded."""
    found: list[type[Exception]] = [OSError, ValueError, ImportError]
    for module, name in (("aiohttp", "ClientError"), ("botocore.exceptions", "BotoCoreError")):
        if module in sys.modules:
            found.append(getattr(sys.modules[module], name))
    return tuple(found)
