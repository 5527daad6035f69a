"""What the services write: the last lines of their logs, and the next ones."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from plmrec.errors import ParamsError
from plmrec.platform.folder import PlatformFolder
from plmrec.settings import Settings


def read(
    settings: Settings, service: str = "", *, lines: int = 20, follow: bool = False
) -> Iterator[str]:
    """Iterate over the last lines of a service's log, or of all, each with the service's name.

    Args:
        settings: Of the workspace.
        service: Such as ``mlflow``; empty for all.
        lines: How many of each.
        follow: Go on for ever with what is written from now on.

    Raises:
        ParamsError: No such log.
    """
    files = log_files(settings)
    if service and service not in files:
        raise ParamsError(
            f"logs: expected one of {', '.join(files) or 'none yet'}, got {service}",
            hint="The services write logs once `plmrec up` has started them",
        )
    chosen = {service: files[service]} if service else files
    ends = {}
    for name, path in chosen.items():
        last, ends[name] = _last_lines(path, lines)
        for line in last:
            yield line if service else f"{name} | {line}"
    while follow:
        time.sleep(0.3)
        for name, path in chosen.items():
            fresh, ends[name] = _read_from(path, ends[name])
            for line in fresh:
                yield line if service else f"{name} | {line}"


def log_files(settings: Settings) -> dict[str, Path]:
    """Log of each service that ever ran, by its name."""
    folder = PlatformFolder(settings).path("logs")
    return {path.stem: path for path in sorted(folder.glob("*.log"))}


def _last_lines(path: Path, count: int) -> tuple[list[str], int]:
    """Last lines of a file, read in bounded memory, and the position after them."""
    with path.open("rb") as file:
        last = deque(file, maxlen=count)
        return [line.decode("utf-8", "replace").rstrip("\n") for line in last], file.tell()


def _read_from(path: Path, start: int) -> tuple[list[str], int]:
    """Whole lines from a position on, and where the next read begins."""
    size = path.stat().st_size
    if size < start:  # a new file under the same name
        start = 0
    with path.open("rb") as file:
        file.seek(start)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode("utf-8", "replace").splitlines(), start + len(whole)
