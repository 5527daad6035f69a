"""Fixtures that several folders of tests share."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from plmrec.platform import mlflow_store, postgres
from plmrec.platform.folder import PlatformFolder
from plmrec.platform.services import postgres_needed
from plmrec.settings import Settings
from plmrec.stores.database import Pool, open_database

_SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the real data sets that lie beside the repository."""
    if not _SHARED_DATA.is_dir():
        pytest.skip(f"needs the real data in {_SHARED_DATA}")
    return _SHARED_DATA


@pytest.fixture
def tmp_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a fresh workspace, free of the environment of whoever runs the tests."""
    _clear_environment(monkeypatch)
    return Settings(workspace=str(tmp_path / "workspace"))


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL that runs for the whole session."""
    with pytest.MonkeyPatch.context() as patch:
        _clear_environment(patch)
        settings = Settings(workspace=str(tmp_path_factory.mktemp("server")))
    with postgres_needed(settings) as url:
        with psycopg.connect(url, autocommit=True) as conn:  # its data need not outlive the tests
            conn.execute("ALTER SYSTEM SET fsync = off")
            conn.execute("SELECT pg_reload_conf()")
        yield url


@pytest.fixture
def database_dsn(database_server: str) -> Iterator[str]:
    """URL of a fresh, empty database."""
    with _fresh_database(database_server, template="template1") as url:
        yield url


@pytest.fixture
def pool(database_dsn: str) -> Iterator[Pool]:
    """Connections to a fresh database with plmrec's tables."""
    with open_database(database_dsn, max_size=8) as pool:
        yield pool


@pytest.fixture(scope="session")
def mlflow_template(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a database with MLflow's tables, to copy from."""
    folder = PlatformFolder(Settings(workspace=str(tmp_path_factory.mktemp("mlflow"))))
    with folder.lock():
        mlflow_store.prepare(folder, database_server)
    return "mlflow"


@pytest.fixture
def mlflow_uri(database_server: str, mlflow_template: str) -> Iterator[str]:
    """Tracking URI of a fresh MLflow store in PostgreSQL."""
    with _fresh_database(database_server, template=mlflow_template) as url:
        name = url.rpartition("/")[2]
        yield postgres.with_database(url, name, driver="psycopg2")


@pytest.fixture
def service_settings(tmp_settings: Settings, database_dsn: str, mlflow_uri: str) -> Settings:
    """Settings of a fresh workspace with a fresh database and a fresh MLflow store."""
    return tmp_settings.model_copy(
        update={"database_url": SecretStr(database_dsn), "mlflow_tracking_uri": mlflow_uri}
    )


class _fresh_database:
    def __init__(self, server: str, *, template: str) -> None:
        self._admin = postgres.with_database(server, "postgres")
        self._name = f"test_{uuid.uuid4().hex[:12]}"
        self._template = template
        self.url = postgres.with_database(server, self._name)

    def __enter__(self) -> str:
        self._run("CREATE DATABASE {} TEMPLATE {}", self._name, self._template)
        return self.url

    def __exit__(self, *_: object) -> None:
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", self._name)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._admin, autocommit=True) as conn:
            conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _clear_environment(patch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        patch.delenv(f"PLMREC_{name.upper()}", raising=False)
