"""Free ports: the remembered one, else the usual one, else the next that nobody holds."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from plmrec.errors import ServiceUnavailableError

_NEXT: Final = 200


class PortChooser:
    """Choose ports that two platforms starting at the same time do not both choose.

    A port is reserved, machine-wide for this user, until the ``with`` block ends; by then the
    service that was given the port listens on it.

    Args:
        host: Address that the services will listen on.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._folder = Path(tempfile.gettempdir()) / f"plmrec-ports-{os.geteuid()}"
        self._reserved: list[IO[str]] = []

    def __enter__(self) -> PortChooser:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._reserved:
            file.close()
        self._reserved.clear()

    def choose(self, *, usual: int, remembered: int | None = None) -> int:
        """Return a free port and reserve it.

        Args:
            usual: Where people expect the service, such as 5432.
            remembered: Where it was the last time.

        Raises:
            ServiceUnavailableError: None of the next 200 ports is free.
        """
        wanted: Iterable[int] = range(usual, min(usual + _NEXT, 65536))
        for port in [remembered, *wanted] if remembered else wanted:
            if port is not None and self._reserve(port):
                return port
        raise ServiceUnavailableError(
            f"ports: expected a free one from {usual} on, found none on {self._host}"
        )

    def _reserve(self, port: int) -> bool:
        file = (self._folder / f"{port}.lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        if not is_free(self._host, port):
            file.close()
            return False
        self._reserved.append(file)
        return True


def is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there, now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
