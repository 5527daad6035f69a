"""The chain by its commands: a second run, one more item, and SIGKILL in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.support.tiny import write_tiny_dataset

pytestmark = pytest.mark.e2e
# Slowed down so that a kill lands in the middle; many shards, so that some are finished by then.
PARAMS = """\
shards: 8
speech:
  backend: scripted
  options: {{delay_s: {delay_s}}}
encoder:
  backend: hashing
  options: {{delay_s: {delay_s}}}
"""


class Chain:
    """Runs plmrec commands in one workspace."""

    def __init__(self, folder: Path, *, delay_s: float = 0.0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.workspace = folder / "workspace"
        (folder / "params.yaml").write_text(PARAMS.format(delay_s=delay_s))
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PLMREC_")}
        self.environment = kept | {
            "PLMREC_WORKSPACE": str(self.workspace),
            "PLMREC_PARAMS": str(folder / "params.yaml"),
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "plmrec", *arguments]

    def run(self, *arguments: str):
        done = subprocess.run(
            self.command(*arguments),
            check=False,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    def kill_when(self, condition, *arguments: str) -> None:
        """Start a command and SIGKILL it as soon as the condition holds."""
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while not condition() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL, "the command ended before it could be killed"

    def digests(self) -> dict[str, str]:
        return {
            stage: json.loads((self.workspace / "reports" / f"{stage}.json").read_text())["digest"]
            for stage in ("validate", "transcribe", "embed", "train", "refresh")
        }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return write_tiny_dataset(tmp_path_factory.mktemp("dataset"), n_items=60)


@pytest.fixture(scope="module")
def undisturbed(dataset, tmp_path_factory) -> Chain:
    chain = Chain(tmp_path_factory.mktemp("undisturbed"))
    chain.run("run", "--dataset", str(dataset))
    return chain


def test_a_second_run_computes_nothing_and_gives_the_same_digests(undisturbed, dataset):
    before = undisturbed.digests()
    reports = undisturbed.run("run", "--dataset", str(dataset), "--json")
    computed = {report["stage"]: report["computed"] for report in reports}
    assert computed["transcribe"] == computed["embed"] == computed["train"] == 0
    assert computed["refresh"] == 0
    assert undisturbed.digests() == before


def test_one_more_item_computes_one(undisturbed, tmp_path):
    dataset = write_tiny_dataset(tmp_path / "dataset", n_items=60)
    chain = Chain(tmp_path)
    for stage in ("transcribe", "embed"):
        chain.run("validate", "--dataset", str(dataset))
        chain.run(stage)
    with (dataset / "items.jsonl").open("a") as file:
        file.write(json.dumps({"item_id": "new", "kind": "audio", "title": "A new song"}) + "\n")
    chain.run("validate", "--dataset", str(dataset))
    assert chain.run("transcribe", "--json")["computed"] == 1
    assert chain.run("embed", "--json")["computed"] == 1


def test_sigkill_in_transcribe_embed_and_refresh_loses_nothing(undisturbed, dataset, tmp_path):
    chain = Chain(tmp_path, delay_s=0.2)
    chain.run("validate", "--dataset", str(dataset))

    def has_shards(folder: str):
        return lambda: len(list(chain.workspace.glob(f"{folder}/part-*.parquet"))) >= 2

    chain.kill_when(has_shards("transcripts"), "transcribe")
    resumed = chain.run("transcribe", "--json")
    assert 0 < resumed["reused"] < 60
    chain.kill_when(has_shards("embeddings/*/items"), "embed")
    resumed = chain.run("embed", "--json")
    assert 0 < resumed["reused"] < 60

    chain = Chain(tmp_path)  # same workspace; delays no longer needed
    chain.run("transcribe")
    chain.run("embed")
    chain.run("train")
    chain.run("evaluate")
    chain.run("up", "--only", "postgres")
    try:
        kill_refresh_before_its_switch(chain)
        chain.run("refresh")
    finally:
        chain.run("down")
    assert chain.digests() == undisturbed.digests()
    assert chain.run("similar", "i0", "--json")


def kill_refresh_before_its_switch(chain: Chain) -> None:
    """Hold the switch back with a lock that readers do not feel, and kill the waiting refresh."""
    endpoints = json.loads((chain.workspace / "platform" / "endpoints.json").read_text())
    with psycopg.connect(endpoints["database_url"]) as conn:
        conn.execute("LOCK TABLE plmrec.live IN SHARE ROW EXCLUSIVE MODE")

        def waits() -> bool:
            with psycopg.connect(endpoints["database_url"], autocommit=True) as other:
                query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                return other.execute(query).fetchone()[0] > 0

        chain.kill_when(waits, "refresh")
        conn.rollback()
