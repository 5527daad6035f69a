"""Stopping services: politely, in order, then for good; and finding what was left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import psutil

from plmrec.errors import ServiceUnavailableError
from plmrec.platform import airflow_services, postgres, processes, state
from plmrec.platform.folder import PlatformFolder
from plmrec.platform.processes import ServiceProcess

MARK: Final = "PLMREC_PLATFORM"
"""Variable in the environment of every service process; names the platform's folder."""

_GRACE_S: Final = 5.0
# Tasks still report to the API server while the scheduler ends, and everything uses PostgreSQL.
_ORDER: Final = (
    tuple(name for name in airflow_services.NAMES if name != "airflow-api"),
    ("airflow-api", "mlflow"),
)


def stop_services(
    folder: PlatformFolder,
    services: Iterable[ServiceProcess],
    *,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Stop services of the process table, living or not, with all their processes.

    Raises:
        ServiceUnavailableError: A process does not end even when killed.
    """
    table = {service.name: service for service in services}
    for names in _ORDER:
        group = [table[name] for name in names if name in table]
        _stop_group(group)
        state.forget(folder, [service.name for service in group])
        for service in group:
            say(f"{service.name} is stopped")
    if "postgres" in table:
        _check(postgres.stop(table["postgres"], folder.path("postgres")))
        state.forget(folder, ["postgres"])
        say("postgres is stopped")


def sweep(folder: PlatformFolder) -> int:
    """End processes of this platform that no process table knows; return how many there were.

    They are known by the mark in their environment: what a killed service left behind, or what
    a task started in a session of its own.
    """
    found = [process for process in marked(folder) if process.pid not in _own_line()]
    _check(processes.stop(found, first=signal.SIGTERM, grace_s=3.0))
    return len(found)


def marked(folder: PlatformFolder) -> list[psutil.Process]:
    """Processes whose environment carries this platform's mark."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            if process.environ().get(MARK) == str(folder.root):
                found.append(process)
    return found


def _stop_group(services: list[ServiceProcess]) -> None:
    leaders = [processes.find(service.pid, service.created) for service in services]
    living = [leader for leader in leaders if leader is not None]
    for leader in living:
        with suppress(psutil.NoSuchProcess):
            leader.send_signal(signal.SIGTERM)
    processes.wait(living, _GRACE_S)
    left = [process for service in services for process in processes.members(service)]
    _check(processes.stop(left, first=signal.SIGTERM, grace_s=2.0))


def _check(left: list[psutil.Process]) -> None:
    if left:
        raise ServiceUnavailableError(
            f"platform: process {left[0].pid} does not end even when killed",
            hint="Look at it with ps; it may wait for a disk",
        )


def _own_line() -> set[int]:
    """This process and those it descends from: `plmrec down` may be called by a task."""
    return {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
