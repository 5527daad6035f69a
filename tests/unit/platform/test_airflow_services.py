"""Airflow's configuration: complete, private, consistent with the ports chosen."""

from __future__ import annotations

import json
import stat
from configparser import RawConfigParser

import pytest

from plmrec.errors import ParamsError
from plmrec.platform import airflow_services, http, mlflow_store
from plmrec.platform.folder import PlatformFolder

URL = "postgresql://plmrec:pw@127.0.0.1:5433/plmrec"


@pytest.fixture
def config(tmp_settings) -> RawConfigParser:
    folder = PlatformFolder(tmp_settings)
    airflow_services.write_config(folder, database_url=URL, host="127.0.0.1", port=8123)
    values = RawConfigParser()
    values.read(folder.path("airflow", "airflow.cfg"))
    return values


def test_tasks_talk_to_the_api_server_on_the_port_chosen(config):
    assert config["core"]["execution_api_server_url"] == "http://127.0.0.1:8123/execution/"
    assert config["api"]["port"] == "8123"
    assert config["api"]["host"] == "127.0.0.1"


def test_metadata_lie_in_postgresql_and_one_secret_signs_all_tokens(config):
    url = "postgresql+psycopg2://plmrec:pw@127.0.0.1:5433/airflow"
    assert config["database"]["sql_alchemy_conn"] == url
    assert len(config["api_auth"]["jwt_secret"]) >= 32
    assert config["core"]["load_examples"] == "False"


def test_the_password_file_is_private(config, tmp_settings):
    folder = PlatformFolder(tmp_settings)
    path = folder.path("airflow", "passwords.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {"admin": folder.secrets()["airflow_admin_password"]}


def test_tasks_find_the_workspace_and_no_telemetry_leaves(tmp_settings, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "example.org")
    env = airflow_services.environment(PlatformFolder(tmp_settings), tmp_settings)
    assert env["PLMREC_WORKSPACE"] == tmp_settings.workspace
    assert env["NO_PROXY"] == "example.org,127.0.0.1,localhost,::1"
    assert env.items() >= mlflow_store.QUIET.items()
    assert "PLMREC_DATABASE_URL" not in env


def test_a_checkout_without_dags_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PLMREC_HOME", str(tmp_path))
    with pytest.raises(ParamsError, match="PLMREC_HOME"):
        airflow_services.home_folder()


def test_a_proxy_is_bypassed_once():
    env = {"no_proxy": "127.0.0.1,::1", "NO_PROXY": "*"}
    http.bypass_proxy(env)
    http.bypass_proxy(env)
    assert env == {"no_proxy": "127.0.0.1,::1,localhost", "NO_PROXY": "*"}
