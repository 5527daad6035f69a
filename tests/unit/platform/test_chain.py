"""When the chain is through, and which failure breaks it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from plmrec.platform.airflow import DagRun
from plmrec.platform.chain import CHAIN, first_failure, is_through

T0 = datetime(2026, 1, 1, tzinfo=timezone.utc)


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


def run(dag_id: str, minute: float, *, state: str = "success", run_id: str = "") -> DagRun:
    return DagRun(
        dag_id=dag_id,
        run_id=run_id or f"asset_triggered__{minute}",
        state=state,
        queued_at=at(minute),
        start=at(minute),
        end=at(minute + 0.5),
    )


@pytest.fixture
def runs() -> list[DagRun]:
    """Each DAG once, a minute apart, the index refreshed after the embeddings, too."""
    found = [run(dag_id, number, run_id=f"r{number}") for number, dag_id in enumerate(CHAIN)]
    return [*found[:3], run(CHAIN[5], 3.2, run_id="early"), *found[3:]]


def test_the_chain_is_through_when_each_dag_succeeded_in_order(runs):
    assert is_through(runs, first="r0", promoted=at(4.5))


def test_it_is_not_through_while_anything_runs(runs):
    more = [*runs, replace(runs[3], run_id="again", state="running", end=None)]
    assert not is_through(more, first="r0", promoted=at(4.5))


def test_it_is_not_through_before_the_last_dag_ran(runs):
    assert not is_through(runs[:-1], first="r0", promoted=at(4.5))


def test_it_is_not_through_before_the_index_is_refreshed_for_the_promoted_release(runs):
    early = [one for one in runs if one.run_id != "r5"]
    assert not is_through(early, first="r0", promoted=at(4.5))
    assert is_through(early, first="r0", promoted=None)


def test_runs_of_an_earlier_pass_do_not_count(runs):
    other_first = [replace(one, run_id="other") if one.run_id == "r0" else one for one in runs]
    assert not is_through(other_first, first="r0", promoted=None)


def test_a_failed_run_breaks_the_chain(runs):
    runs[2] = replace(runs[2], state="failed")
    assert first_failure(runs, first="r0") == runs[2]


def test_a_failure_that_is_not_of_this_pass_does_not_break_it(runs):
    by_clock = run("plmrec_ab_evaluate", 0, state="failed", run_id="scheduled__2026")
    other = run("plmrec_validate", 0, state="failed", run_id="scheduled__2026")
    probe = run("plmrec_probe", 0, state="failed")
    assert first_failure([by_clock, other, probe, *runs], first="r0") is None
