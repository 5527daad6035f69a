"""The platform's own folder in a workspace: its lock, state, secrets and addresses."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from plmrec.errors import ServiceUnavailableError
from plmrec.settings import Settings
from plmrec.stores.workspace import Workspace

_LOCK_TIMEOUT_S: Final = 180.0


class PlatformFolder:
    """Files of one workspace's platform; all that may hold a secret have mode 600.

    Args:
        settings: Their workspace must be a local folder.

    Raises:
        DataContractError: The workspace is not on a local disk.
    """

    def __init__(self, settings: Settings) -> None:
        self.workspace = Workspace(settings.workspace).local()
        self.root = self.workspace / "platform"
        self._depth = 0

    def path(self, *parts: str) -> Path:
        """Path of a file in the folder."""
        return self.root.joinpath(*parts)

    def make(self, *parts: str) -> Path:
        """Create a sub-folder, where missing, and return its path."""
        folder = self.path(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the platform for this process: one starts or stops services, the others wait.

        Raises:
            ServiceUnavailableError: Another process held it for three minutes.
        """
        if self._depth:
            yield
            return
        self.make()
        with self.path("lock").open("w") as file:
            deadline = time.monotonic() + _LOCK_TIMEOUT_S
            while not _try_lock(file.fileno()):
                if time.monotonic() > deadline:
                    raise ServiceUnavailableError(
                        f"platform: {self.root} is locked by another plmrec",
                        hint="Wait for the other `plmrec up` or `plmrec down` to end",
                    )
                time.sleep(0.05)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    def read_json(self, name: str) -> dict[str, Any]:
        """Read one of the folder's JSON files; a missing or torn one reads as empty."""
        try:
            values = json.loads(self.path(name).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return values if isinstance(values, dict) else {}

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Replace one of the folder's JSON files as a whole, readable by its owner only."""
        write_private(self.path(name), json.dumps(values, indent=2, sort_keys=True) + "\n")

    def secrets(self) -> dict[str, str]:
        """Generated secrets of this workspace; made at the first call, then always the same."""
        values = self.read_json("secrets.json")
        missing = {name: make() for name, make in _SECRETS.items() if name not in values}
        if missing:
            values.update(missing)
            self.write_json("secrets.json", values)
        return {name: str(value) for name, value in values.items()}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _token() -> str:
    return secrets.token_urlsafe(32)


def _fernet_key() -> str:
    return urlsafe_b64encode(secrets.token_bytes(32)).decode()


_SECRETS: Final = {
    "database_password": _token,
    "airflow_admin_password": lambda: secrets.token_urlsafe(12),
    "airflow_jwt_secret": _token,
    "airflow_fernet_key": _fernet_key,
    "airflow_secret_key": _token,
}
