"""MLflow's store in PostgreSQL: its tables, its artifact folder, and the server in front of it."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final, cast

import psutil

from plmrec.platform import processes, state
from plmrec.platform.folder import PlatformFolder
from plmrec.platform.postgres import with_database
from plmrec.platform.processes import ServiceProcess

USUAL_PORT: Final = 5000


def artifact_root(folder: PlatformFolder) -> str:
    """URI under which runs keep their files, with a server and without."""
    path = folder.workspace / "mlflow" / "artifacts"
    path.mkdir(parents=True, exist_ok=True)
    return path.as_uri()


def store_uri(database_url: str) -> str:
    """Tracking URI that reaches the store without a server."""
    return with_database(database_url, "mlflow", driver="psycopg2")


def prepare(folder: PlatformFolder, database_url: str) -> None:
    """Create or migrate MLflow's tables, once per version of MLflow.

    The caller holds the platform's lock, so no two processes migrate at a time.
    """
    version = metadata.version("mlflow")
    if state.is_prepared(folder, "mlflow", version):
        return
    os.environ.update(QUIET)
    from mlflow.store.db import utils
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy import create_engine, inspect

    uri, db = store_uri(database_url), cast(Any, utils)
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    engine = create_engine(uri)
    made = "alembic_version" in inspect(engine).get_table_names()
    if made and db._get_schema_version(engine) != db._get_latest_schema_revision():
        db._upgrade_db(engine)
    engine.dispose()
    # Makes the tables, where missing, and the default experiment with our artifact root.
    cast(Any, SqlAlchemyStore)(uri, artifact_root(folder)).engine.dispose()
    state.mark_prepared(folder, "mlflow", version)


def start(
    folder: PlatformFolder, *, database_url: str, host: str, port: int, mark: Mapping[str, str]
) -> ServiceProcess:
    """Start the tracking server, one worker; the caller waits until it answers.

    uvicorn is started itself, with the variables that ``mlflow server`` would pass to it: that
    saves a second process with all of MLflow in memory. The database URL is never an argument.

    Args:
        folder: The platform's folder.
        database_url: Any database of the server that holds the database ``mlflow``.
        host: Address to listen on.
        port: Port to listen on.
        mark: Variables by which its processes are found again.
    """
    uri = store_uri(database_url)
    environment = {
        **os.environ,
        **QUIET,
        **mark,
        "_MLFLOW_SERVER_FILE_STORE": uri,
        "_MLFLOW_SERVER_REGISTRY_STORE": uri,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": artifact_root(folder),
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(_allowed_hosts(host, port)),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    process = processes.spawn(
        [
            *(sys.executable, "-m", "uvicorn", "mlflow.server.fastapi_app:app", "--workers", "1"),
            *("--host", host, "--port", str(port), "--log-level", "warning"),
            "--no-server-header",
        ],
        env=environment,
        cwd=Path(folder.make("mlflow")),
        log=folder.path("logs", "mlflow.log"),
    )
    return ServiceProcess(
        name="mlflow", pid=process.pid, created=process.create_time(), host=host, port=port
    )


def _allowed_hosts(host: str, port: int) -> list[str]:
    """Names by which the server may be called; others are refused, against DNS rebinding."""
    names = {"localhost", "127.0.0.1", "[::1]", host}
    if host not in {"localhost", "127.0.0.1", "::1"}:
        cards = (card for cards in psutil.net_if_addrs().values() for card in cards)
        ip = {socket.AF_INET: "{}", socket.AF_INET6: "[{}]"}
        names |= {socket.gethostname(), socket.getfqdn()}
        names |= {ip[c.family].format(c.address) for c in cards if c.family in ip}
    return sorted({*names, *(f"{name}:{port}" for name in names)})


QUIET: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "true",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "SCARF_ANALYTICS": "false",
}
"""Environment that switches off the telemetry of every dependency."""
