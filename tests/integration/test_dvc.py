"""Snapshots with the real DVC."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml
import zc.lockfile

from plmrec.errors import DataContractError, TransientError
from plmrec.versioning import dvc
from plmrec.versioning.dvc import restore, snapshot
from plmrec.versioning.tree import tree_digest

pytestmark = pytest.mark.integration


@pytest.fixture
def root(tmp_path, monkeypatch):
    for name in ("DVC_STAGE", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    write(tmp_path / "ws", "dataset/items/part-000", "one")
    write(tmp_path / "ws", "dataset/manifest.json", "{}")
    write(tmp_path / "ws", "postgres/broken.dvc", "not for DVC's eyes")
    return tmp_path / "ws"


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).unlink(missing_ok=True)  # never through a link into DVC's cache
    (root / name).write_text(text)


def test_the_digest_is_the_one_that_dvc_records(root):
    write(root, "dataset/media/\u00fc b.wav", "two")
    digest = snapshot(root, "dataset")
    recorded = yaml.safe_load((root / "dataset.dvc").read_text())["outs"][0]
    assert recorded["md5"] == digest == tree_digest(root / "dataset")
    assert recorded["nfiles"] == 2
    assert (root / "remote" / "files" / "md5" / digest[:2] / digest[2:]).is_file()


def test_an_unchanged_folder_is_not_stored_again(root, monkeypatch):
    digest = snapshot(root, "dataset")
    monkeypatch.setattr(dvc, "_add_and_push", lambda *_: pytest.fail("stored again"))
    assert snapshot(root, "dataset") == digest


def test_a_lost_remote_is_filled_again(root):
    digest = snapshot(root, "dataset")
    shutil.rmtree(root / "remote")
    snapshot(root, "dataset")
    assert (root / "remote" / "files" / "md5" / digest[:2] / digest[2:]).is_file()


def test_a_remote_elsewhere_is_used(root):
    elsewhere = root.parent / "elsewhere"
    digest = snapshot(root, "dataset", remote=str(elsewhere))
    assert (elsewhere / "files" / "md5" / digest[:2] / digest[2:]).is_file()
    assert not (root / "remote").exists()


def test_an_earlier_state_comes_back_even_without_the_cache(root):
    first = snapshot(root, "dataset")
    write(root, "dataset/items/part-000", "changed")
    second = snapshot(root, "dataset")
    shutil.rmtree(root / ".dvc" / "cache")
    restore(root, "dataset", first)
    assert (root / "dataset" / "items" / "part-000").read_text() == "one"
    restore(root, "dataset", second)
    assert tree_digest(root / "dataset") == second


def test_a_state_that_was_never_stored_changes_nothing(root):
    digest = snapshot(root, "dataset")
    with pytest.raises(DataContractError, match="expected a snapshot"):
        restore(root, "dataset", "0" * 32 + ".dir")
    assert tree_digest(root / "dataset") == digest
    assert digest in (root / "dataset.dvc").read_text()


def test_another_process_that_keeps_the_lock_is_a_transient_error(root, monkeypatch):
    snapshot(root, "dataset")
    write(root, "dataset/items/part-000", "changed")
    monkeypatch.setattr(dvc, "_TRIES", 1)
    lock = zc.lockfile.LockFile(str(root / ".dvc" / "tmp" / "lock"))
    try:
        with pytest.raises(TransientError, match="lock"):
            snapshot(root, "dataset")
    finally:
        lock.close()
    assert snapshot(root, "dataset") == tree_digest(root / "dataset")


def test_inside_dvc_repro_only_the_digest_is_computed(root, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "validate")
    assert snapshot(root, "dataset") == tree_digest(root / "dataset")
    assert not (root / ".dvc").exists()


def test_dvc_repro_records_the_same_digest_and_its_output_is_left_to_it(root):
    from dvc.repo import Repo

    project = root.parent
    shutil.rmtree(root / "postgres")
    (project / ".dvc").mkdir()
    (project / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (project / ".dvcignore").write_text("**/dataset/manifest.json\n")
    stage = {"cmd": "true", "outs": [{"ws/dataset": {"persist": True}}]}
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"validate": stage}}))
    cwd = Path.cwd()
    os.chdir(project)
    try:
        Repo(str(project)).reproduce()
    finally:
        os.chdir(cwd)
    recorded = yaml.safe_load((project / "dvc.lock").read_text())["stages"]["validate"]["outs"][0]
    assert recorded["md5"] == snapshot(root, "dataset")
    assert not (root / ".dvc").exists()


def test_nothing_is_printed_and_the_working_directory_stays(root, capfd):
    cwd = Path.cwd()
    snapshot(root, "dataset")
    assert Path.cwd() == cwd
    assert capfd.readouterr() == ("", "")
