"""Starting services: what is missing, in parallel, until all of it answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from plmrec.errors import PlmrecError, ServiceUnavailableError
from plmrec.platform import airflow_services, http, mlflow_store, services, state
from plmrec.platform.airflow import AirflowClient
from plmrec.platform.folder import PlatformFolder
from plmrec.platform.ports import PortChooser
from plmrec.platform.postgres import own_address
from plmrec.platform.processes import ServiceProcess, is_alive
from plmrec.platform.shutdown import MARK
from plmrec.settings import Settings

_TIMEOUT_S: Final = 240.0
_HEALTH_NAMES: Final = {
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dag_processor",
    "airflow-triggerer": "triggerer",
}


class Startup:
    """One start of the platform; the caller holds the platform's lock.

    Args:
        folder: The platform's folder.
        settings: Address to listen on, and what is not ours to start.
        chooser: Reserves the ports until everything listens.
        say: Called with a line for each service that is ready.
    """

    def __init__(
        self,
        folder: PlatformFolder,
        settings: Settings,
        chooser: PortChooser,
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._chooser = chooser
        self._say = say
        self._begun = time.monotonic()

    def run(self, missing: Iterable[str]) -> None:
        """Start the services named, PostgreSQL in any case, and wait until they answer.

        While Airflow's tables are made, MLflow's are, too, and its server starts.

        Raises:
            ServiceUnavailableError: One of them ends, or does not answer within four minutes.
        """
        missing = list(missing)
        url = services.ensure_postgres(self._folder, self._settings, owner="up")
        self._report("postgres")
        airflow = [name for name in missing if name in airflow_services.NAMES]
        begin_airflow = self._prepare_airflow(url) if airflow else None
        mlflow_store.prepare(self._folder, url)
        started = [self._start_mlflow(url)] if "mlflow" in missing else []
        if begin_airflow is not None:
            started += [begin_airflow(name) for name in airflow]
        self._wait(started)
        self._publish(url, set_pools=bool(airflow))

    def _prepare_airflow(self, url: str) -> Callable[[str], ServiceProcess]:
        """Write the configuration, begin the migration; the result starts one process."""
        host = self._settings.host
        live = state.live_services(self._folder).get("airflow-api")
        port = live.port if live else self._port("airflow-api", airflow_services.USUAL_PORT)
        airflow_services.write_config(self._folder, database_url=url, host=host, port=port)
        env = airflow_services.environment(self._folder, self._settings)
        env[MARK] = str(self._folder.root)
        finish = airflow_services.begin_migration(self._folder, env)

        def begin(name: str) -> ServiceProcess:
            finish()
            service = airflow_services.start(self._folder, name, env=env, host=host, port=port)
            state.keep(self._folder, [service])
            return service

        return begin

    def _start_mlflow(self, url: str) -> ServiceProcess:
        service = mlflow_store.start(
            self._folder,
            database_url=url,
            host=self._settings.host,
            port=self._port("mlflow", mlflow_store.USUAL_PORT),
            mark={MARK: str(self._folder.root)},
        )
        state.keep(self._folder, [service])
        return service

    def _port(self, name: str, usual: int) -> int:
        remembered = state.remembered_port(self._folder, name)
        return self._chooser.choose(usual=usual, remembered=remembered)

    def _wait(self, started: list[ServiceProcess]) -> None:
        deadline = time.monotonic() + _TIMEOUT_S
        waiting = list(started)
        while waiting:
            health = airflow_health(self._folder)
            for service in list(waiting):
                if not is_alive(service):
                    raise self._failure(service, "ended while it started")
                if is_ready(service, health):
                    waiting.remove(service)
                    self._report(service.name)
            if waiting and time.monotonic() > deadline:
                raise self._failure(waiting[0], f"did not answer within {_TIMEOUT_S:.0f} s")
            time.sleep(0.2)

    def _publish(self, url: str, *, set_pools: bool) -> None:
        live = state.live_services(self._folder)
        addresses = {"mlflow_tracking_uri": mlflow_store.store_uri(url)}
        if "mlflow" in live:
            addresses["mlflow_tracking_uri"] = address(live["mlflow"])
        if "airflow-api" in live:
            addresses["airflow_url"] = address(live["airflow-api"])
        state.write_endpoints(self._folder, **addresses)
        if set_pools:
            client = airflow_client(self._folder)
            for name, slots in airflow_services.pool_slots().items():
                client.set_pool(name, slots)

    def _report(self, name: str) -> None:
        self._say(f"{name} is ready ({time.monotonic() - self._begun:.1f} s)")

    def _failure(self, service: ServiceProcess, what: str) -> ServiceUnavailableError:
        log = self._folder.path("logs", f"{service.name}.log")
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = lines[-1][:300] if lines else "no message"
        return ServiceUnavailableError(f"{service.name}: {what}: {last}", hint=f"See {log}")


def is_ready(service: ServiceProcess, health: dict[str, dict[str, Any]]) -> bool:
    """Tell whether a living service does its work.

    Args:
        service: Any but PostgreSQL.
        health: Of ``airflow_health``; a heartbeat counts only if it is younger than the process.
    """
    if service.name == "mlflow":
        return http.answers(f"{address(service)}/health")
    if service.name == "airflow-api":
        return bool(health)
    name = _HEALTH_NAMES[service.name]
    beat = health.get(name, {}).get(f"latest_{name}_heartbeat")
    return bool(beat) and datetime.fromisoformat(str(beat)).timestamp() > service.started


def airflow_health(folder: PlatformFolder) -> dict[str, dict[str, Any]]:
    """What Airflow says about its parts; empty when it does not answer."""
    service = state.live_services(folder).get("airflow-api")
    if service is None:
        return {}
    try:
        found: dict[str, dict[str, Any]] = http.request(
            "GET", f"{address(service)}/api/v2/monitor/health", timeout_s=5.0
        )
    except PlmrecError:
        return {}
    return found


def airflow_client(folder: PlatformFolder) -> AirflowClient:
    """Session with the Airflow that runs in a workspace.

    Raises:
        ServiceUnavailableError: None runs.
    """
    service = state.live_services(folder).get("airflow-api")
    if service is None:
        raise ServiceUnavailableError("airflow: does not run", hint="Start it with `plmrec up`")
    password = folder.secrets()["airflow_admin_password"]
    return AirflowClient(address(service), user=airflow_services.ADMIN, password=password)


def address(service: ServiceProcess) -> str:
    """URL of a service that speaks HTTP."""
    host = own_address(service.host)
    return f"http://[{host}]:{service.port}" if ":" in host else f"http://{host}:{service.port}"
