"""The dataset folder changes as a whole."""

from __future__ import annotations

import pytest

from plmrec.errors import TransientError
from plmrec.stages import staging as module
from plmrec.stages.staging import publish, staging
from plmrec.stores.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace(str(tmp_path))


def write_next(workspace, text):
    with staging(workspace) as folder:
        (folder / "file").write_text(text)
        publish(workspace.local())


@pytest.mark.parametrize("can_exchange", [True, False])
def test_the_next_dataset_replaces_the_one_before(workspace, monkeypatch, can_exchange):
    if not can_exchange:
        monkeypatch.setattr(module, "_exchange", lambda one, other: False)
    write_next(workspace, "first")
    write_next(workspace, "second")
    assert workspace.local("dataset", "file").read_text() == "second"
    assert workspace.list() == ["dataset", "dataset.lock"]


def test_a_run_that_fails_leaves_the_dataset_before_it(workspace):
    write_next(workspace, "first")
    with pytest.raises(TypeError):
        write_next(workspace, 2)
    assert workspace.local("dataset", "file").read_text() == "first"
    assert not workspace.exists("dataset.next")


def test_a_run_killed_between_two_renames_is_mended_by_the_next(workspace):
    write_next(workspace, "first")
    workspace.local("dataset").rename(workspace.local("dataset.old"))
    with staging(workspace):
        assert workspace.local("dataset", "file").read_text() == "first"


def test_two_processes_do_not_write_at_once(workspace, monkeypatch):
    monkeypatch.setattr(module, "_WAIT_S", 0.0)
    with staging(workspace), pytest.raises(TransientError), staging(workspace):
        pass
