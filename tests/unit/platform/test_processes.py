"""Processes: known by pid and birth, stopped with all their children."""

from __future__ import annotations

import signal
import sys

import psutil

from plmrec.platform import processes
from plmrec.platform.processes import ServiceProcess

# Starts a child that ignores SIGTERM, then waits; both must end.
STUBBORN = """
import signal, subprocess, sys, time
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", child])
print("ready", flush=True)
time.sleep(60)
"""


def start(tmp_path, code: str) -> ServiceProcess:
    process = processes.spawn(
        [sys.executable, "-c", code], env={}, cwd=tmp_path, log=tmp_path / "service.log"
    )
    return ServiceProcess(name="x", pid=process.pid, created=process.create_time())


def test_a_recycled_pid_is_not_the_service(tmp_path):
    service = start(tmp_path, "import time; time.sleep(60)")
    stranger = ServiceProcess(name="x", pid=service.pid, created=service.created - 100)
    assert processes.is_alive(service)
    assert not processes.is_alive(stranger)
    left = processes.members(service)
    assert processes.stop(left, first=signal.SIGTERM, grace_s=5.0) == []
    assert not processes.is_alive(service)


def test_children_that_outlive_their_leader_are_found_and_killed(tmp_path):
    service = start(tmp_path, STUBBORN)
    log = tmp_path / "service.log"
    while log.read_text() != "ready\n":
        assert processes.is_alive(service)
    psutil.Process(service.pid).kill()
    left = processes.members(service)
    assert [process.pid for process in left] != [service.pid]
    assert processes.stop(left, first=signal.SIGTERM, grace_s=0.5) == []
    assert processes.members(service) == []


def test_a_log_is_private(tmp_path):
    service = start(tmp_path, "print('hello')")
    processes.wait([psutil.Process(service.pid)], 10.0)
    assert (tmp_path / "service.log").stat().st_mode & 0o077 == 0
