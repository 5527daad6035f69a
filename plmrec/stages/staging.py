"""The folder ``dataset/`` changes as a whole: written beside the old one, then exchanged."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from plmrec.errors import TransientError
from plmrec.stores.workspace import Workspace

DATASET: Final = "dataset"
NEXT: Final = "dataset.next"
SPILL: Final = "dataset.spill"
_OLD: Final = "dataset.old"
_LOCK: Final = "dataset.lock"
_RENAME_EXCHANGE: Final = 2
_AT_FDCWD: Final = -100
_WAIT_S: Final = 10.0


@contextmanager
def staging(workspace: Workspace) -> Iterator[Path]:
    """Give an empty folder ``dataset.next`` to one process at a time; clean up after it.

    Raises:
        TransientError: Another process has been validating into this workspace for 10 s.
        DataContractError: The workspace is not on a local disk.
    """
    root = workspace.local()
    root.mkdir(parents=True, exist_ok=True)
    with _lock(root / _LOCK):
        if not (root / DATASET).exists() and (root / _OLD).exists():
            (root / _OLD).rename(root / DATASET)  # a run was killed between two renames
        _clear(root)
        (root / NEXT).mkdir()
        try:
            yield root / NEXT
        finally:
            _clear(root)


def publish(root: Path) -> None:
    """Make ``dataset.next`` the dataset; at every moment there is the old one or the new one."""
    new, live, old = root / NEXT, root / DATASET, root / _OLD
    if not live.exists():
        new.rename(live)
    elif not _exchange(new, live):
        live.rename(old)
        new.rename(live)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step, where the system can (Linux 3.15, glibc 2.28)."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    paths = os.fsencode(one), os.fsencode(other)
    return bool(rename(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0)


def _clear(root: Path) -> None:
    for name in (NEXT, SPILL, _OLD):
        if (root / name).exists():
            shutil.rmtree(root / name)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock that the system frees when the process ends, however it ends."""
    deadline = time.monotonic() + _WAIT_S
    with path.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as err:
                if time.monotonic() > deadline:
                    raise TransientError(
                        f"validate: expected {path.parent} for itself, another process uses it",
                        hint="Wait until it has ended",
                    ) from err
                time.sleep(0.1)
        yield
