"""The services a command needs: PostgreSQL, and MLflow's store in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from plmrec.errors import ServiceUnavailableError
from plmrec.platform import mlflow_store, postgres, processes, state
from plmrec.platform.folder import PlatformFolder
from plmrec.platform.ports import PortChooser
from plmrec.platform.processes import ServiceProcess
from plmrec.settings import Settings
from plmrec.stores import server


@contextmanager
def needed(settings: Settings) -> Iterator[None]:
    """Make sure that PostgreSQL and MLflow's store answer while the block runs.

    What ``plmrec up`` started is used and left alone. Otherwise PostgreSQL is started for the
    duration of the block; commands that overlap share it, and the last one stops it. Nothing is
    started when the environment names both stores.

    Raises:
        ServiceUnavailableError: PostgreSQL does not start or does not answer.
    """
    if settings.database_url is not None and settings.mlflow_tracking_uri is not None:
        yield
        return
    with _held(settings, ensure_stores):
        yield


@contextmanager
def postgres_needed(settings: Settings) -> Iterator[str]:
    """Make sure that PostgreSQL alone answers while the block runs; see ``needed``.

    Returns:
        URL of the database ``plmrec``.
    """
    with _held(settings, ensure_postgres) as url:
        yield url


@contextmanager
def _held(settings: Settings, ensure: Callable[..., str]) -> Iterator[str]:
    folder = PlatformFolder(settings)
    with folder.lock():
        url = ensure(folder, settings, owner="needed")
        _count(folder, +1)
    try:
        yield url
    finally:
        with folder.lock():
            if _count(folder, -1) == 0:
                _stop_on_demand(folder)


def ensure_stores(folder: PlatformFolder, settings: Settings, *, owner: str) -> str:
    """Have PostgreSQL answer, with its databases and MLflow's tables; the caller holds the lock.

    Returns:
        URL of the database ``plmrec``, which the endpoints file now names, too.
    """
    url = ensure_postgres(folder, settings, owner=owner)
    mlflow_store.prepare(folder, url)
    if "mlflow" not in state.live_services(folder):
        state.write_endpoints(folder, mlflow_tracking_uri=mlflow_store.store_uri(url))
    return url


def ensure_postgres(folder: PlatformFolder, settings: Settings, *, owner: str) -> str:
    """Have PostgreSQL answer and hold our databases; start the embedded one if none is named.

    Returns:
        URL of the database ``plmrec``; for a server of your own, the URL you named.
    """
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        beside = [name for name in postgres.DATABASES if name != "plmrec"]
        server.create_databases(url, beside)
        state.write_endpoints(folder, database_url=url)
        return url
    service = state.live_services(folder).get("postgres")
    if service is None:
        service = _start_postgres(folder, settings, owner=owner)
    elif owner == "up" and service.owner != "up":
        service = ServiceProcess(**{**service.as_dict(), "owner": "up"})
    state.keep(folder, [service])
    url = postgres.server_url(
        host=postgres.own_address(service.host),
        port=service.port,
        password=folder.secrets()["database_password"],
    )
    if not state.is_prepared(folder, "databases", ",".join(postgres.DATABASES)):
        server.create_databases(postgres.with_database(url, "postgres"), postgres.DATABASES)
        state.mark_prepared(folder, "databases", ",".join(postgres.DATABASES))
    state.write_endpoints(folder, database_url=url)
    return url


def _start_postgres(folder: PlatformFolder, settings: Settings, *, owner: str) -> ServiceProcess:
    # A server started for one command has no business on the network, whatever PLMREC_HOST says.
    host = settings.host if owner == "up" else "127.0.0.1"
    with PortChooser(host) as chooser:
        port = chooser.choose(
            usual=postgres.USUAL_PORT, remembered=state.remembered_port(folder, "postgres")
        )
        return postgres.start(folder, host=host, port=port, owner=owner)


def _stop_on_demand(folder: PlatformFolder) -> None:
    service = state.read_services(folder).get("postgres")
    if service is None or service.owner == "up":
        return
    left = postgres.stop(service, folder.path("postgres"))
    if left:
        raise ServiceUnavailableError(f"postgres: process {left[0].pid} does not end")
    state.forget(folder, ["postgres"])


def _count(folder: PlatformFolder, change: int) -> int:
    """Count this process in or out; return the number of uses by living processes.

    A process that was killed no longer counts, so it cannot keep the server alive.
    """
    uses: dict[str, Any] = folder.read_json("uses.json")
    living = {pid: use for pid, use in uses.items() if processes.find(int(pid), use["created"])}
    own = str(os.getpid())
    created = psutil.Process().create_time()
    count = living.get(own, {"count": 0})["count"] + change
    living[own] = {"created": created, "count": count}
    living = {pid: use for pid, use in living.items() if use["count"] > 0}
    folder.write_json("uses.json", living)
    return sum(use["count"] for use in living.values())
