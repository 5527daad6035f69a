"""The platform's folder: private files, one holder of the lock, secrets made once."""

from __future__ import annotations

import stat

import pytest

from plmrec.errors import DataContractError
from plmrec.platform import folder as module
from plmrec.platform import state
from plmrec.platform.folder import PlatformFolder
from plmrec.platform.processes import ServiceProcess
from plmrec.settings import Settings


@pytest.fixture
def folder(tmp_settings) -> PlatformFolder:
    return PlatformFolder(tmp_settings)


def test_secrets_are_made_once_and_readable_by_their_owner_only(folder):
    first = folder.secrets()
    assert stat.S_IMODE(folder.path("secrets.json").stat().st_mode) == 0o600
    assert folder.secrets() == first
    assert len(set(first.values())) == len(first)
    assert all(len(secret) >= 16 for secret in first.values())


def test_a_torn_file_reads_as_empty(folder):
    folder.make()
    folder.path("state.json").write_text('{"services": {')
    assert state.read_services(folder) == {}


def test_one_process_holds_the_lock_at_a_time(folder, tmp_settings, monkeypatch):
    monkeypatch.setattr(module, "_LOCK_TIMEOUT_S", 0.1)
    other = PlatformFolder(tmp_settings)
    with folder.lock():
        with folder.lock():
            pass
        with pytest.raises(Exception, match="locked by another"), other.lock():
            pass
    with other.lock():
        pass


def test_a_workspace_on_an_object_store_cannot_hold_the_platform():
    with pytest.raises(DataContractError, match="local folder"):
        PlatformFolder(Settings(workspace="memory://bucket"))


def test_a_service_that_died_is_not_live_and_its_port_stays_remembered(folder):
    gone = ServiceProcess(name="mlflow", pid=2**22 + 1, created=1.0, host="127.0.0.1", port=5007)
    state.keep(folder, [gone])
    assert state.read_services(folder) == {"mlflow": gone}
    assert state.live_services(folder) == {}
    state.forget(folder, ["mlflow"])
    assert state.read_services(folder) == {}
    assert state.remembered_port(folder, "mlflow") == 5007
