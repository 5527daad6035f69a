"""Service processes: started in sessions of their own, known by pid and time of birth."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import psutil

from plmrec.errors import ServiceUnavailableError

_SAME_BIRTH_S: Final = 0.5
_LOG_BYTES: Final = 10_000_000
_GONE: Final = (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProcess:
    """One running service.

    Attributes:
        name: Such as ``postgres`` or ``airflow-scheduler``.
        pid: Leader of the service's session.
        created: Its birth, seconds since the epoch; tells a recycled pid from the service.
        host: Where it listens; empty when it does not.
        port: Where it listens; 0 when it does not.
        owner: ``up`` when it stays until ``plmrec down``, ``needed`` when it lives as long as the
            commands that need it.
        started: When we started it, seconds since the epoch by this machine's clock; its birth
            is counted from boot and can be a second off.
    """

    name: str
    pid: int
    created: float
    host: str = ""
    port: int = 0
    owner: str = "up"
    started: float = field(default_factory=time.time)

    @property
    def since(self) -> str:
        """When it was started, as ISO 8601, UTC."""
        return datetime.fromtimestamp(self.started, timezone.utc).isoformat(timespec="seconds")

    def as_dict(self) -> dict[str, Any]:
        """Return what the state file keeps."""
        return asdict(self)


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    user: int | None = None,
) -> psutil.Process:
    """Start a detached process that appends its output to a log file.

    Args:
        command: Program and arguments; no secrets, everybody can read them.
        env: Its whole environment.
        cwd: Folder to run in.
        log: File for stdout and stderr; created with mode 600; one of over 10 MB is put aside.
        user: Run as this user id, when we are root.

    Raises:
        ServiceUnavailableError: The program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(  # noqa: S603
            command,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            user=user,
            group=None if user is None else _group_of(user),
            extra_groups=None if user is None else [],
        )
    except OSError as err:
        raise ServiceUnavailableError(f"platform: cannot start {command[0]}: {err}") from err
    finally:
        os.close(descriptor)
    child.returncode = 0  # it outlives us on purpose; no warning about a child left running
    return psutil.Process(child.pid)


def _group_of(user: int) -> int:
    import pwd

    return pwd.getpwuid(user).pw_gid


def find(pid: int, created: float) -> psutil.Process | None:
    """Return the process with this pid and birth; None when it is gone or a zombie."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < _SAME_BIRTH_S
        alive = process.status() != psutil.STATUS_ZOMBIE
    except _GONE:
        return None
    return process if same and alive else None


def is_alive(service: ServiceProcess) -> bool:
    """Tell whether a service's leader runs."""
    return find(service.pid, service.created) is not None


def members(service: ServiceProcess, *, folder: Path | None = None) -> list[psutil.Process]:
    """List a service's processes, also those that survived their leader.

    Args:
        service: Its session and its descendants count.
        folder: Processes that run in exactly this folder count too (PostgreSQL's children open
            sessions of their own).
    """
    found: dict[int, psutil.Process] = {}
    leader = find(service.pid, service.created)
    if leader is not None:
        found[leader.pid] = leader
        with suppress(*_GONE):
            below = leader.children(recursive=True)
            found.update({child.pid: child for child in below if _runs(child)})
    for process in psutil.process_iter():
        with suppress(*_GONE, ProcessLookupError, PermissionError):
            if process.create_time() < service.created - _SAME_BIRTH_S:
                continue
            in_session = os.getsid(process.pid) == service.pid
            in_folder = folder is not None and process.cwd() == str(folder)
            if (in_session or (in_folder and process.name() == "postgres")) and _runs(process):
                found[process.pid] = process
    return list(found.values())


def memory_mb(service: ServiceProcess) -> int:
    """Memory of a service's processes, MB; pages they share count once each.

    On Linux this is the proportional set size, elsewhere the resident set of each process.
    """
    total = 0
    for process in members(service):
        with suppress(*_GONE):
            memory = process.memory_full_info()
            total += getattr(memory, "pss", memory.rss)
    return total >> 20


def stop(
    processes: Iterable[psutil.Process], *, first: signal.Signals, grace_s: float
) -> list[psutil.Process]:
    """Ask processes to end, wait, and kill those that remain.

    Args:
        processes: All of a service; those it starts meanwhile are the caller's to find.
        first: Signal that asks politely.
        grace_s: Seconds before SIGKILL.

    Returns:
        Processes that even SIGKILL did not end within 5 s; normally none.
    """
    processes = list(processes)
    _send(processes, first)
    alive = wait(processes, grace_s)
    _send(alive, signal.SIGKILL)
    return wait(alive, 5.0)


def wait(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait until processes are gone; return those that are not."""
    deadline = time.monotonic() + timeout_s
    alive = [process for process in processes if _runs(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(0.05)
        alive = [process for process in alive if _runs(process)]
    return alive


def _send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(*_GONE):
            process.send_signal(number)


def _runs(process: psutil.Process) -> bool:
    with suppress(*_GONE):
        if not process.is_running():
            return False
        with suppress(ChildProcessError):  # a child of ours is reaped, or it stays a zombie
            return os.waitpid(process.pid, os.WNOHANG)[0] == 0
        return process.status() != psutil.STATUS_ZOMBIE
    return False
