"""What a workspace's platform remembers: its processes, its ports and its addresses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plmrec.platform import processes
from plmrec.platform.folder import PlatformFolder
from plmrec.platform.processes import ServiceProcess


def read_services(folder: PlatformFolder) -> dict[str, ServiceProcess]:
    """All services of the process table, living or not, by name."""
    table: dict[str, dict[str, Any]] = folder.read_json("state.json").get("services", {})
    return {name: ServiceProcess(**values) for name, values in table.items()}


def live_services(folder: PlatformFolder) -> dict[str, ServiceProcess]:
    """Services of the process table whose leader runs."""
    found = read_services(folder)
    return {name: service for name, service in found.items() if processes.is_alive(service)}


def keep(folder: PlatformFolder, services: Iterable[ServiceProcess]) -> None:
    """Add services to the process table and remember their ports."""
    services = list(services)
    state = folder.read_json("state.json")
    table = state.setdefault("services", {})
    ports = state.setdefault("ports", {})
    for service in services:
        table[service.name] = service.as_dict()
        if service.port:
            ports[service.name] = service.port
    folder.write_json("state.json", state)


def forget(folder: PlatformFolder, names: Iterable[str]) -> None:
    """Take services out of the process table; their ports stay remembered."""
    state = folder.read_json("state.json")
    for name in names:
        state.get("services", {}).pop(name, None)
    folder.write_json("state.json", state)


def remembered_port(folder: PlatformFolder, name: str) -> int | None:
    """Port a service had the last time; None when it never ran."""
    port = folder.read_json("state.json").get("ports", {}).get(name)
    return int(port) if port else None


def is_prepared(folder: PlatformFolder, store: str, version: str) -> bool:
    """Tell whether a database was brought to a version of its program before."""
    return bool(folder.read_json("state.json").get("prepared", {}).get(store) == version)


def mark_prepared(folder: PlatformFolder, store: str, version: str) -> None:
    """Remember that a database is at a version of its program."""
    state = folder.read_json("state.json")
    state.setdefault("prepared", {})[store] = version
    folder.write_json("state.json", state)


def write_endpoints(folder: PlatformFolder, **addresses: str) -> None:
    """Replace addresses of the running platform; others stay as they were."""
    folder.write_json("endpoints.json", {**folder.read_json("endpoints.json"), **addresses})


def endpoint(folder: PlatformFolder, name: str) -> str:
    """One address of the running platform; empty when unknown."""
    return str(folder.read_json("endpoints.json").get(name, ""))
