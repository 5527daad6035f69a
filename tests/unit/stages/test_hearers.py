"""Hearing in a process of its own: it may crash, hang on to memory, or be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from plmrec.errors import BackendUnavailableError
from plmrec.params import SpeechParams
from plmrec.stages.hearers import LocalHearer, ProcessHearer, Task
from plmrec.stages.recognisers import Recognisers
from plmrec.stores.workspace import Workspace
from tests.support.catalogue import write_items
from tests.support.media import bursts, tone, wav


def speech(**options) -> SpeechParams:
    more = {key: options.pop(key) for key in ("max_worker_mb", "vad") if key in options}
    return SpeechParams(backend="scripted", options=options, **more)


def task(media: str, **more) -> Task:
    values = {"item_id": media, "language": None, "input_digest": "d", "choice": 0, **more}
    return Task(shard="part-000", media=media, **values)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    workspace = Workspace(str(tmp_path / "workspace"))
    quiet = np.zeros(8_000, np.float32)
    write_items(
        workspace,
        [],
        files={
            "a.wav": wav(tone(3)),
            "b.wav": wav(tone(2)),
            "long.wav": wav(np.concatenate([quiet, bursts(40)])),
        },
    )
    return workspace


@pytest.fixture
def start(workspace):
    opened = []

    def _start(params: SpeechParams) -> ProcessHearer:
        opened.append(ProcessHearer(workspace.root, params))
        return opened[-1]

    yield _start
    for hearer in opened:
        hearer.close()


def test_another_process_hears_the_same_and_is_started_once(workspace, start):
    params = speech(batch_size=4)
    hearer = start(params)
    tasks = [task("a.wav"), task("b.wav"), task("none.wav")]
    found = hearer.hear(tasks)
    assert found == LocalHearer(workspace, Recognisers(params=params)).hear(tasks)
    assert [text.status for text in found] == ["speech", "speech", "refused"]
    hearer.hear([task("a.wav", item_id="again")])
    assert hearer.n_started == 1


def test_a_ceiling_replaces_the_process_in_the_middle_of_a_long_medium(workspace, start):
    options = {"segment_s": 3.0, "hears_all": False, "vad": "energy"}
    expected = LocalHearer(workspace, Recognisers(params=speech(**options))).hear(
        [task("long.wav", input_digest="other")]
    )
    hearer = start(speech(**options, max_worker_mb=1))  # any process is larger
    assert hearer.hear([task("long.wav")]) == expected
    assert hearer.n_started > 3


def test_a_process_that_is_killed_goes_on_at_the_last_pause(workspace, start):
    options = {"segment_s": 3.0, "hears_all": False, "vad": "energy", "delay_s": 0.2}
    hearer = start(speech(**options))
    killer = _kill_when_noted(workspace)
    (text,) = hearer.hear([task("long.wav")])
    assert killer.wait() == 0
    assert text.status == "speech"
    assert hearer.n_started == 2
    notes = workspace.list("transcripts", ".done", "part-000")
    assert len(notes) == 1
    starts = [note["segments"][0]["start_s"] for note in _notes(workspace, notes[0])]
    assert starts == sorted(set(starts))  # nothing was heard twice
    assert [segment.start_s for segment in text.segments][: len(starts)] == starts


def test_a_medium_that_kills_twice_is_refused_and_the_rest_goes_on(workspace, start, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["tests/support/deadly", *sys.path]))
    workspace.write_bytes(wav(tone(1, hz=100)), "dataset", "media", "deadly.wav")
    hearer = start(speech(batch_size=4))
    found = hearer.hear([task("a.wav"), task("deadly.wav"), task("b.wav")])
    assert [text.status for text in found] == ["speech", "refused", "speech"]
    (problem,) = found[1].problems
    assert problem.reason == "recogniser_died"
    assert "SIGSEGV" in problem.detail


def test_an_error_keeps_its_class_and_its_hint(start, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    params = SpeechParams(backend="whisper", options={"model": "none/none"})
    with pytest.raises(BackendUnavailableError, match="Check name and network"):
        start(params).hear([task("a.wav")])


def test_the_process_ends_when_its_parent_does(workspace):
    code = (
        "import os, sys; from plmrec.stages.hearers import *; "
        "from plmrec.params import SpeechParams; "
        f"hearer = ProcessHearer({workspace.root!r}, SpeechParams(backend='scripted')); "
        "print(hearer._start().pid, flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pid = int(done.stdout)
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not psutil.pid_exists(pid)


def _kill_when_noted(workspace: Workspace) -> subprocess.Popen:
    """Kill this process's child as soon as it has made two notes."""
    code = f"""
import os, pathlib, psutil, signal, time
done = pathlib.Path({str(workspace.local("transcripts", ".done"))!r})
while len([p for p in done.rglob("*.json")]) < 2:
    time.sleep(0.01)
for child in psutil.Process({os.getpid()}).children():
    if child.cmdline()[-1] == "plmrec.stages.hearing_process":
        child.send_signal(signal.SIGKILL)
"""
    return subprocess.Popen([sys.executable, "-c", code])


def _notes(workspace: Workspace, name: str) -> list[dict]:
    folder = ("transcripts", ".done", "part-000", name)
    return [json.loads(workspace.read_bytes(*folder, each)) for each in workspace.list(*folder)]
