"""The embedded platform: it starts anywhere, survives SIGKILL, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from plmrec.platform import control, doctor, processes, state
from plmrec.platform.folder import PlatformFolder
from plmrec.platform.services import postgres_needed
from plmrec.platform.shutdown import marked
from plmrec.platform.startup import airflow_client
from plmrec.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
USUAL = (5432, 5000, 8080)


def fresh(folder: Path) -> Settings:
    return Settings(
        workspace=str(folder / "workspace"), database_url=None, mlflow_tracking_uri=None
    )


def all_processes(settings: Settings) -> list[psutil.Process]:
    folder = PlatformFolder(settings)
    found = {process.pid: process for process in marked(folder)}
    for service in state.read_services(folder).values():
        data = folder.path("postgres") if service.name == "postgres" else None
        found |= {process.pid: process for process in processes.members(service, folder=data)}
    return list(found.values())


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A whole platform, started while others hold the usual ports."""
    settings = fresh(tmp_path_factory.mktemp("platform"))
    with ExitStack() as stack:
        for port in USUAL:
            holder = stack.enter_context(socket.socket())
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                holder.bind(("127.0.0.1", port))
                holder.listen()
            except OSError:
                continue  # someone else holds it, which is as good
        try:
            control.up(settings)
            yield settings
        finally:
            control.down(settings)


def test_other_ports_are_chosen_when_the_usual_ones_are_taken(platform):
    rows = control.status(platform)
    assert {row["state"] for row in rows} == {"running"}
    ports = {int(row["address"].rpartition(":")[2]) for row in rows if row["address"]}
    assert len(ports) == 3
    assert not ports & set(USUAL)


def test_every_part_works_when_it_is_used(platform):
    findings = list(doctor.examine(platform))
    assert [f"{f.part}: {f.finding} {f.hint}" for f in findings if not f.ok] == []


def test_nothing_listens_beyond_this_machine(platform):
    addresses = set()
    for process in all_processes(platform):
        with suppress(psutil.NoSuchProcess):  # tasks end
            connections = process.net_connections("inet")
            addresses |= {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
    assert addresses == {"127.0.0.1"}


def test_secrets_are_private_and_in_no_command_line(platform):
    folder = PlatformFolder(platform)
    for name in ("secrets.json", "endpoints.json", "airflow/airflow.cfg", "airflow/passwords.json"):
        assert stat.S_IMODE(folder.path(name).stat().st_mode) == 0o600, name
    words = ""
    for process in all_processes(platform):
        with suppress(psutil.NoSuchProcess):  # tasks end
            words += " ".join(process.cmdline())
    assert [name for name, secret in folder.secrets().items() if secret in words] == []


def test_the_database_asks_for_the_password(platform):
    url = state.endpoint(PlatformFolder(platform), "database_url")
    password = PlatformFolder(platform).secrets()["database_password"]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.replace(password, "wrong"))


def test_two_workspaces_run_side_by_side(platform, tmp_path):
    other = fresh(tmp_path)
    try:
        control.up(other)
        for settings in (platform, other):
            client = airflow_client(PlatformFolder(settings))
            client.wait_for_dag("plmrec_probe")
            run_id = client.trigger("plmrec_probe")
            assert client.wait_for_run("plmrec_probe", run_id, timeout_s=90).state == "success"
        own = set(all_processes(other))
        assert not own & set(all_processes(platform))
    finally:
        control.down(other)
    assert not [process for process in own if process.is_running()]
    assert all_processes(other) == []
    assert {row["state"] for row in control.status(other)} == {"stopped"}
    assert {row["state"] for row in control.status(platform)} == {"running"}


def test_after_sigkill_of_every_process_up_comes_back_with_nothing_lost(platform):
    folder = PlatformFolder(platform)
    url = state.endpoint(folder, "database_url")
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 7 AS number")
    runs = {run.run_id for run in airflow_client(folder).dag_runs("plmrec_probe")}
    killed = all_processes(platform)
    for process in killed:
        process.kill()
    assert processes.wait(killed, 10.0) == []
    assert {row["state"] for row in control.status(platform)} == {"died"}

    control.up(platform)
    with psycopg.connect(state.endpoint(folder, "database_url")) as conn:
        assert conn.execute("SELECT number FROM kept").fetchone() == (7,)
    assert runs <= {run.run_id for run in airflow_client(folder).dag_runs("plmrec_probe")}
    assert [f.part for f in doctor.examine(platform) if not f.ok] == []


def test_up_starts_only_what_is_missing(platform):
    before = {row["service"]: row["pid"] for row in control.status(platform)}
    killed = psutil.Process(before["airflow-triggerer"])
    killed.kill()
    assert processes.wait([killed], 10.0) == []
    control.up(platform)
    after = {row["service"]: row["pid"] for row in control.status(platform)}
    assert None not in after.values()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"airflow-triggerer"}
    assert airflow_client(PlatformFolder(platform)).health()["triggerer"]["status"] == "healthy"


USE = """
import sys, time
from plmrec.platform.services import postgres_needed
from plmrec.settings import Settings
with postgres_needed(Settings(workspace=sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.readline()
"""


def start_use(settings: Settings) -> subprocess.Popen:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PLMREC_")}
    process = subprocess.Popen(
        [sys.executable, "-c", USE, settings.workspace],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def end_use(process: subprocess.Popen) -> None:
    process.communicate("\n", timeout=60)
    assert process.returncode == 0


def server(settings: Settings) -> dict:
    return next(row for row in control.status(settings) if row["service"] == "postgres")


def test_commands_share_a_server_and_the_last_one_stops_it(tmp_path):
    settings = fresh(tmp_path)
    first, second = start_use(settings), start_use(settings)
    assert server(settings)["owner"] == "needed"
    end_use(first)
    assert server(settings)["state"] == "running"
    end_use(second)
    assert server(settings)["state"] == "stopped"
    assert all_processes(settings) == []


def test_a_killed_command_does_not_keep_the_server_alive(tmp_path):
    settings = fresh(tmp_path)
    killed = start_use(settings)
    killed.kill()
    killed.wait()
    assert server(settings)["state"] == "running"
    end_use(start_use(settings))
    assert server(settings)["state"] == "stopped"


def test_what_up_started_outlives_the_commands_that_use_it(tmp_path):
    settings = fresh(tmp_path)
    try:
        control.up(settings, only=["postgres"])
        with postgres_needed(settings):
            pass
        assert server(settings)["state"] == "running"
        uri = json.loads((PlatformFolder(settings).path("endpoints.json")).read_text())
        assert uri["mlflow_tracking_uri"].startswith("postgresql+psycopg2://")
    finally:
        control.down(settings)
    assert all_processes(settings) == []


def test_a_pid_that_now_belongs_to_another_program_is_left_alone(tmp_path):
    settings = fresh(tmp_path)
    end_use(start_use(settings))
    folder = PlatformFolder(settings)
    with subprocess.Popen(["sleep", "60"]) as bystander:
        folder.path("postgres", "postmaster.pid").write_text(
            f"{bystander.pid}\n{folder.path('postgres')}\n{int(time.time())}\n5432\n\n*\n\nready\n"
        )
        values = {"name": "postgres", "pid": bystander.pid, "created": 1.0, "port": 5432}
        folder.write_json("state.json", {"services": {"postgres": values}})
        end_use(start_use(settings))
        assert bystander.poll() is None
        bystander.kill()
