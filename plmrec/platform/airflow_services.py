"""Airflow's four processes: their configuration file, their environment, their start."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from configparser import RawConfigParser
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import Final

import psutil
from pydantic import SecretStr

import plmrec
from plmrec.errors import ParamsError, ServiceUnavailableError
from plmrec.platform import http, processes, state
from plmrec.platform.folder import PlatformFolder, write_private
from plmrec.platform.mlflow_store import QUIET
from plmrec.platform.postgres import own_address, with_database
from plmrec.platform.processes import ServiceProcess
from plmrec.settings import Settings

USUAL_PORT: Final = 8080
ADMIN: Final = "admin"
POOLS: Final = {"speech": 0, "encode": 0, "dvc": 1, "index": 1}
"""Slots of the pools; 0 stands for one per core."""

_COMMANDS: Final = {
    "airflow-api": ("api-server", "--workers", "1"),
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-dag-processor": ("dag-processor",),
    "airflow-triggerer": ("triggerer", "--skip-serve-logs"),
}
NAMES: Final = tuple(_COMMANDS)


def home_folder() -> Path:
    """Folder that holds ``dags/`` and ``plugins/``: PLMREC_HOME, else the checkout.

    Raises:
        ParamsError: It holds no ``dags/``.
    """
    named = os.environ.get("PLMREC_HOME")
    folder = Path(named) if named else Path(plmrec.__file__).parents[1]
    if not (folder / "dags").is_dir() or not (folder / "plugins").is_dir():
        raise ParamsError(
            f"airflow: expected the folders dags and plugins in {folder}, found none",
            hint="Set PLMREC_HOME to a checkout of plmrec",
        )
    return folder.resolve()


def write_config(folder: PlatformFolder, *, database_url: str, host: str, port: int) -> None:
    """Write ``airflow.cfg`` and the password file, both readable by their owner only.

    With ``AIRFLOW_HOME`` set to the folder ``platform/airflow``, Airflow's own command line
    works on this platform, too.
    """
    home, values = folder.make("airflow"), RawConfigParser()
    code = home_folder()
    passwords = home / "passwords.json"
    secrets = folder.secrets()
    url = f"http://{_shown(own_address(host))}:{port}"
    values.read_dict(
        {
            "core": {
                "dags_folder": code / "dags",
                "plugins_folder": code / "plugins",
                "executor": "LocalExecutor",
                "parallelism": max(os.cpu_count() or 1, 2),
                "load_examples": False,
                "dags_are_paused_at_creation": False,
                "fernet_key": secrets["airflow_fernet_key"],
                "execution_api_server_url": f"{url}/execution/",
                "simple_auth_manager_users": f"{ADMIN}:admin",
                "simple_auth_manager_passwords_file": passwords,
                "hostname_callable": "plmrec.platform.airflow_services.local_name",
                "min_serialized_dag_update_interval": 5,
                "mp_start_method": "fork",
            },
            "database": {
                "sql_alchemy_conn": with_database(database_url, "airflow", driver="psycopg2"),
                "sql_alchemy_pool_size": 5,
            },
            "api": {
                "host": host,
                "port": port,
                "base_url": url,
                "workers": 1,
                "secret_key": secrets["airflow_secret_key"],
                "expose_config": False,
            },
            "api_auth": {"jwt_secret": secrets["airflow_jwt_secret"], "jwt_issuer": "plmrec"},
            "logging": {
                "base_log_folder": home / "logs",
                "uvicorn_logging_level": "WARNING",
                "colored_console_log": False,
            },
            "scheduler": {
                "scheduler_idle_sleep_time": 0.2,
                "scheduler_heartbeat_sec": 2,
                "enable_health_check": False,
                "task_instance_heartbeat_timeout": 60,
                "orphaned_tasks_check_interval": 30,
                "catchup_by_default": False,
            },
            "dag_processor": {
                "parsing_processes": 1,
                "refresh_interval": 30,
                "min_file_process_interval": 60,
                "print_stats_interval": 300,
            },
            "triggerer": {"capacity": 100},
            "usage_data_collection": {"enabled": False},
        }
    )
    text = StringIO()
    values.write(text)
    write_private(home / "airflow.cfg", text.getvalue())
    write_private(passwords, json.dumps({ADMIN: secrets["airflow_admin_password"]}))


def environment(folder: PlatformFolder, settings: Settings) -> dict[str, str]:
    """Environment of every Airflow process and, through them, of every task.

    Addresses of the embedded services are not in it: tasks read them from the endpoints file.
    What the settings leave out is left out, whatever the environment of this process says.
    """
    ours = {f"PLMREC_{name.upper()}" for name in Settings.model_fields}
    values = {name: value for name, value in os.environ.items() if name not in ours}
    values |= {
        **QUIET,
        "AIRFLOW_HOME": str(folder.path("airflow")),
        "PLMREC_WORKSPACE": str(folder.workspace),
        "PYTHONWARNINGS": "ignore",
    }
    values.pop("AIRFLOW_CONFIG", None)
    http.bypass_proxy(values)
    if settings.params.exists():
        values["PLMREC_PARAMS"] = str(settings.params.resolve())
    for name in ("mlflow_tracking_uri", "dvc_remote", "database_url", "pseudonym_key"):
        value = getattr(settings, name)
        if value is not None:
            shown = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            values[f"PLMREC_{name.upper()}"] = shown
    return values


def begin_migration(folder: PlatformFolder, env: Mapping[str, str]) -> Callable[[], None]:
    """Start to create or migrate Airflow's tables; once per version of Airflow.

    Returns:
        A function that waits for the end and raises ServiceUnavailableError if it failed.
    """
    version = metadata.version("apache-airflow")
    if state.is_prepared(folder, "airflow", version):
        return lambda: None
    log = folder.path("logs", "airflow-migrate.log")
    process = processes.spawn(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=env,
        cwd=folder.path("airflow"),
        log=log,
    )

    def finish() -> None:
        if process.wait(timeout=300) != 0:
            raise ServiceUnavailableError(
                "airflow: the database migration failed", hint=f"See {log}"
            )
        state.mark_prepared(folder, "airflow", version)

    return finish


def start(
    folder: PlatformFolder, name: str, *, env: Mapping[str, str], host: str, port: int
) -> ServiceProcess:
    """Start one of Airflow's processes; the caller waits until it works."""
    process = processes.spawn(
        [sys.executable, "-m", "airflow", *_COMMANDS[name]],
        env=env,
        cwd=folder.path("airflow"),
        log=folder.path("logs", f"{name}.log"),
    )
    listens = name == "airflow-api"
    return ServiceProcess(
        name=name,
        pid=process.pid,
        created=process.create_time(),
        host=host if listens else "",
        port=port if listens else 0,
    )


def pool_slots() -> dict[str, int]:
    """Slots of each pool on this machine."""
    cores = psutil.cpu_count() or 1
    return {name: slots or cores for name, slots in POOLS.items()}


def local_name() -> str:
    """Name of this machine for Airflow, without asking a name server (which can take seconds)."""
    return "localhost"


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
