"""The platform as a whole: up, down, status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from plmrec.errors import ParamsError
from plmrec.platform import airflow_services, http, mlflow_store, postgres, processes, state
from plmrec.platform.folder import PlatformFolder
from plmrec.platform.ports import PortChooser
from plmrec.platform.processes import ServiceProcess
from plmrec.platform.shutdown import stop_services, sweep
from plmrec.platform.startup import Startup, address
from plmrec.settings import Settings

PARTS: Final = ("postgres", "mlflow", "airflow")
SERVICES: Final = ("postgres", "mlflow", *airflow_services.NAMES)


def up(
    settings: Settings,
    *,
    only: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> list[dict[str, Any]]:
    """Start what does not run yet, in parallel, and wait until all of it answers.

    Args:
        settings: Where; ``host`` is the address to listen on.
        only: Some of ``PARTS``; all when empty. PostgreSQL is always among them.
        say: Called with a line for each service that is ready.

    Returns:
        The rows of ``status``.

    Raises:
        ParamsError: A part is unknown, or the platform runs on another address.
        ServiceUnavailableError: A service does not start; what this call started is stopped.
    """
    parts = _parts(only, settings)
    folder = PlatformFolder(settings)
    http.bypass_proxy()
    with folder.lock(), PortChooser(settings.host) as chooser:
        before = state.live_services(folder)
        _check_host(before, settings)
        dead = [s for name, s in state.read_services(folder).items() if name not in before]
        stop_services(folder, dead)  # what survived its leader must not disturb the new one
        if not before:
            sweep(folder)
        missing = [name for name in SERVICES if name not in before and _part(name) in parts]
        try:
            Startup(folder, settings, chooser, say).run(missing)
        except BaseException:
            begun = state.read_services(folder)
            stop_services(folder, [s for name, s in begun.items() if name not in before])
            raise
    return status(settings)


def down(settings: Settings, *, say: Callable[[str], None] = lambda line: None) -> None:
    """Stop every service and make sure that no process is left.

    Raises:
        ServiceUnavailableError: A process does not end even when killed.
    """
    folder = PlatformFolder(settings)
    if not folder.root.exists():
        return
    with folder.lock():
        stop_services(folder, state.read_services(folder).values(), say=say)
        if extra := sweep(folder):
            say(f"{extra} more processes are stopped")
        if url := state.endpoint(folder, "database_url"):
            uri = mlflow_store.store_uri(url)
            state.write_endpoints(folder, mlflow_tracking_uri=uri, airflow_url="")


def status(settings: Settings) -> list[dict[str, Any]]:
    """One row per service: service, state, pid, address, since, owner, memory_mb."""
    folder = PlatformFolder(settings)
    known = state.read_services(folder) if folder.root.exists() else {}
    return [_row(name, known.get(name), settings) for name in SERVICES]


def logins(settings: Settings) -> dict[str, str]:
    """Addresses to open in a browser, and where the password is; empty when nothing runs."""
    folder = PlatformFolder(settings)
    live = state.live_services(folder) if folder.root.exists() else {}
    found = {}
    if "airflow-api" in live:
        found["Airflow"] = address(live["airflow-api"])
        found["Airflow login"] = f"{airflow_services.ADMIN}, password in {_password_file(folder)}"
    if "mlflow" in live:
        found["MLflow"] = address(live["mlflow"])
    return found


def _password_file(folder: PlatformFolder) -> str:
    return str(folder.path("airflow", "passwords.json"))


def _parts(only: Sequence[str], settings: Settings) -> set[str]:
    unknown = sorted(set(only) - set(PARTS))
    if unknown:
        raise ParamsError(f"up: expected some of {', '.join(PARTS)}, got {', '.join(unknown)}")
    parts = set(only or PARTS)
    if settings.mlflow_tracking_uri is not None:
        parts -= {"mlflow"}
    return parts - {"postgres"}  # PostgreSQL is not optional; it is started before all others


def _part(service: str) -> str:
    return service.partition("-")[0]


def _check_host(live: dict[str, ServiceProcess], settings: Settings) -> None:
    for service in live.values():
        if service.host and service.host != settings.host:
            raise ParamsError(
                f"{service.name}: listens on {service.host}, asked for {settings.host}",
                hint="Stop it first with `plmrec down`",
            )


def _row(name: str, service: ServiceProcess | None, settings: Settings) -> dict[str, Any]:
    row: dict[str, Any] = {
        "service": name,
        "state": "stopped",
        "pid": None,
        "address": "",
        "since": "",
        "owner": "",
        "memory_mb": None,
    }
    external = _external_address(name, settings)
    if external:
        return {**row, "state": "external", "address": external}
    if service is None:
        return row
    if not processes.is_alive(service):
        return {**row, "state": "died"}
    return {
        **row,
        "state": "running",
        "pid": service.pid,
        "address": _shown_address(service),
        "since": service.since,
        "owner": service.owner,
        "memory_mb": processes.memory_mb(service),
    }


def _shown_address(service: ServiceProcess) -> str:
    if not service.port:
        return ""
    if service.name == "postgres":
        return f"{postgres.own_address(service.host)}:{service.port}"
    return address(service)


def _external_address(name: str, settings: Settings) -> str:
    """Where a service of your own answers, without user and password."""
    url = None
    if name == "postgres" and settings.database_url is not None:
        url = settings.database_url.get_secret_value()
    elif name == "mlflow":
        url = settings.mlflow_tracking_uri
    if url is None:
        return ""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or parts.scheme
