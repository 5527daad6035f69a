"""The chain under the real scheduler: six DAGs chained by assets, and what a bad dataset does."""

from __future__ import annotations

import json

import pytest

from plmrec.platform import control, demo
from plmrec.platform.folder import PlatformFolder
from plmrec.settings import Settings
from tests.support.tiny import WEIGHTLESS_PARAMS, write_tiny_dataset

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A platform whose tasks use the backends without weights."""
    folder = tmp_path_factory.mktemp("scheduler")
    (folder / "params.yaml").write_text(WEIGHTLESS_PARAMS)
    settings = Settings(
        workspace=str(folder / "workspace"),
        params=folder / "params.yaml",
        database_url=None,
        mlflow_tracking_uri=None,
    )
    try:
        control.up(settings)
        yield settings
    finally:
        control.down(settings)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_tiny_dataset(tmp_path_factory.mktemp("dataset"), n_items=60)


def run(settings, dataset):
    states = {}

    def watch(steps):
        states.update({step.dag_id: step.state for step in steps})

    failure = demo.run_chain(PlatformFolder(settings), dataset, timeout_s=300, on_poll=watch)
    return failure, states


def test_the_chain_is_run_by_assets_from_a_dataset_to_lists_with_reasons(running, dataset):
    failure, states = run(running, dataset)
    assert failure is None
    assert set(states.values()) == {"success"}
    found = demo.results(running, k=5)
    assert [report["stage"] for report in found["reports"]] == list(demo.STAGES)
    assert len(found["lists"]) == 2
    for rows in found["lists"].values():
        assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
        assert all(row["reason"]["text"] for row in rows)


def test_a_second_run_computes_nothing(running, dataset):
    failure, _ = run(running, dataset)
    assert failure is None
    computed = {r["stage"]: r["computed"] for r in demo.results(running)["reports"]}
    assert computed["transcribe"] == computed["embed"] == computed["train"] == 0


def test_a_dataset_without_items_fails_at_once_and_says_why(running, tmp_path):
    (tmp_path / "interactions.csv").write_text("user_id,item_id,event,value,timestamp\n")
    failure, states = run(running, tmp_path)
    assert failure is not None
    assert (failure.dag_id, failure.task_id) == ("plmrec_validate", "validate")
    assert any("items" in line for line in failure.lines), json.dumps(failure.lines)
    assert states["plmrec_transcribe"] == "waiting"
