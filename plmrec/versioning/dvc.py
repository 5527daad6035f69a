"""Snapshots of a workspace folder with DVC: the digest is the identity of the data."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from plmrec.errors import DataContractError, ParamsError, TransientError
from plmrec.versioning.tree import MANIFEST, tree_digest

T = TypeVar("T")
_REMOTE: Final = "default"
_LOCAL_REMOTE: Final = "remote"  # a folder of the workspace
_TRIES: Final = 10
_WAIT_S: Final = 3.0  # between tries; each try waits about as long itself


def snapshot(
    root: Path,
    folder: str,
    *,
    remote: str | None = None,
    known: dict[str, list[Any]] | None = None,
) -> str:
    """Store the state of a folder in DVC's cache and remote, and return its digest.

    The workspace becomes a DVC project of its own (``.dvc/``, without Git). Inside ``dvc repro``,
    and in a folder that another DVC project tracks, nothing is stored, since that project does
    it; the digest is the same. An unchanged folder costs only its digest.

    Args:
        root: The workspace.
        folder: Name of the folder in it; its ``manifest.json`` does not belong to the snapshot.
        remote: URL or folder of the remote; ``remote/`` in the workspace when None.
        known: Digests of unchanged files, see ``tree_digest``.

    Returns:
        Digest of the folder, 32 hexadecimal digits and ``.dir``.

    Raises:
        TransientError: Another DVC process holds the lock, or the remote does not answer.
        ParamsError: The remote's URL is not one DVC understands.
        DataContractError: DVC found another content, so the folder was changed meanwhile.
    """
    digest = tree_digest(root / folder, known=known)
    target = remote or str(root / _LOCAL_REMOTE)
    if _is_stored_by_another(root, folder) or _is_stored(root, folder, digest, target):
        return digest
    _prepare(root, folder, target)
    _retry(lambda: _add_and_push(root, folder, digest))
    _marker(root, folder).write_text(json.dumps({"digest": digest, "remote": target}))
    return digest


def restore(root: Path, folder: str, digest: str, *, remote: str | None = None) -> None:
    """Bring a folder back to the state of an earlier snapshot.

    Args:
        root: The workspace.
        folder: Name of the folder in it.
        digest: What ``snapshot`` returned then.
        remote: As in ``snapshot``.

    Raises:
        DataContractError: Neither cache nor remote hold that state.
        TransientError: Another DVC process holds the lock, or the remote does not answer.
    """
    _prepare(root, folder, remote or str(root / _LOCAL_REMOTE))
    out = {"md5": digest, "hash": "md5", "path": folder}
    old = (root / f"{folder}.dvc").read_bytes() if (root / f"{folder}.dvc").exists() else None
    (root / f"{folder}.dvc").write_text(yaml.safe_dump({"outs": [out]}, sort_keys=False))
    try:
        _retry(lambda: _pull(root, folder, digest))
    except (DataContractError, TransientError):
        if old is None:
            (root / f"{folder}.dvc").unlink()
        else:
            (root / f"{folder}.dvc").write_bytes(old)
        raise


def _is_stored_by_another(root: Path, folder: str) -> bool:
    if os.environ.get("DVC_STAGE") or os.environ.get("DVC_ROOT"):
        return True
    if (root / ".dvc").is_dir():
        return False
    outer = next((parent for parent in root.parents if (parent / ".dvc").is_dir()), None)
    if outer is None:
        return False
    from dvc.exceptions import OutputNotFoundError

    with _project(outer) as project:
        try:
            return bool(project.find_outs_by_path(str(root / folder), strict=False))
        except OutputNotFoundError:
            return False


def _is_stored(root: Path, folder: str, digest: str, target: str) -> bool:
    try:
        stored = json.loads(_marker(root, folder).read_text())
    except (FileNotFoundError, ValueError):
        return False
    local = Path(target) / "files" / "md5" / digest[:2] / digest[2:]
    is_there = "://" in target or local.is_file()
    return is_there and stored == {"digest": digest, "remote": target}


def _marker(root: Path, folder: str) -> Path:
    return root / ".dvc" / f"pushed-{folder}.json"


def _prepare(root: Path, folder: str, target: str) -> None:
    """Make the workspace a DVC project that sees nothing but the folder."""
    (root / ".dvc" / "tmp").mkdir(parents=True, exist_ok=True)
    url = target if "://" in target else str(Path(target).resolve())
    config = (
        "[core]\n    analytics = false\n    check_update = false\n    no_scm = true\n"
        f"    remote = {_REMOTE}\n['remote \"{_REMOTE}\"']\n    url = {url}\n"
        "[cache]\n    type = \"reflink,hardlink,copy\"\n"
    )  # fmt: skip
    _write_if_changed(root / ".dvc" / "config", config)
    ignore = f"/*\n!/{folder}\n!/{folder}.dvc\n/{folder}/{MANIFEST}\n"
    _write_if_changed(root / ".dvcignore", ignore)


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def _add_and_push(root: Path, folder: str, digest: str) -> None:
    with _project(root) as project:
        [stage] = project.add(str(root / folder))
        found = stage.outs[0].hash_info.value
        if found != digest:
            raise DataContractError(
                f"{folder}: expected the digest {digest}, DVC found {found}",
                hint="Something writes into the folder; run the stage again",
            )
        project.push(targets=[str(root / f"{folder}.dvc")])


def _pull(root: Path, folder: str, digest: str) -> None:
    """Fetch a snapshot; only when all of it is in the cache, change the folder."""
    from dvc.exceptions import DownloadError

    with _project(root) as project:
        try:
            project.fetch(targets=[str(root / f"{folder}.dvc")])
        except DownloadError as err:
            raise _no_snapshot(folder, digest) from err
        cache = Path(project.cache.local.path)
        listing = cache / digest[:2] / digest[2:]
        if not listing.is_file():
            raise _no_snapshot(folder, digest)
        contents = [entry["md5"] for entry in json.loads(listing.read_text())]
        if not all((cache / content[:2] / content[2:]).is_file() for content in contents):
            raise _no_snapshot(folder, digest)
        project.checkout(targets=[str(root / f"{folder}.dvc")], force=True)


def _no_snapshot(folder: str, digest: str) -> DataContractError:
    return DataContractError(
        f"{folder}: expected a snapshot {digest}, found none in cache and remote"
    )


@contextmanager
def _project(root: Path) -> Iterator[Any]:
    from dvc.repo import Repo

    for name in ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(name).setLevel(logging.ERROR)  # it would print on stdout otherwise
    cache = root / ".dvc" / "tmp" / "site"
    project = Repo(str(root), config={"core": {"site_cache_dir": str(cache)}})
    try:
        yield project
    finally:
        project.close()


def _retry(action: Callable[[], T]) -> T:
    """Run DVC, waiting for its lock; its errors become ours."""
    from dvc.config import ConfigError
    from dvc.exceptions import DvcException
    from dvc.lock import LockError

    for attempt in range(1, _TRIES + 1):
        try:
            return action()
        except LockError as err:
            if attempt == _TRIES:
                raise TransientError(
                    "dvc: expected the lock of the workspace to become free, it did not",
                    hint="Wait for the other DVC process, or end it",
                ) from err
            time.sleep(_WAIT_S)
        except ConfigError as err:
            raise ParamsError(f"dvc: {err}", hint="Correct PLMREC_DVC_REMOTE") from err
        except DvcException as err:
            raise TransientError(f"dvc: {err}", hint="Is the remote reachable?") from err
    raise AssertionError  # the last attempt returns or raises
