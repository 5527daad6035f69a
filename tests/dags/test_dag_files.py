"""Facts about every DAG file: short, light to parse, and with the conventions of the project."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
MAX_LINES = 80
ALLOWED_IMPORTS = {"__future__", "typing", "datetime", "airflow", "plmrec_dagkit"}
CHAIN = [
    "plmrec_validate",
    "plmrec_transcribe",
    "plmrec_embed",
    "plmrec_train",
    "plmrec_ab_evaluate",
    "plmrec_refresh_index",
]


def load(path: Path):
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(path))
    assert not bag.import_errors
    return bag.dags


def uris(condition) -> set[str]:
    """Addresses of all assets in a schedule's condition."""
    if hasattr(condition, "objects"):
        return set().union(*(uris(part) for part in condition.objects))
    return {condition.uri}


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
class TestDagFile:
    def test_is_short(self, path):
        assert len(path.read_text().splitlines()) <= MAX_LINES

    def test_imports_at_top_level_only_what_parsing_needs(self, path):
        names = {
            (node.module if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert names <= ALLOWED_IMPORTS

    def test_holds_one_dag_named_like_the_file(self, path):
        assert list(load(path)) == [path.stem]


@pytest.mark.parametrize("name", CHAIN)
def test_each_dag_of_the_chain_keeps_the_conventions(name):
    dag = load(ROOT / "dags" / f"{name}.py")[name]
    assert dag.doc_md
    assert "plmrec" in dag.tags
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert dag.deadline
    for task in dag.tasks:
        assert task.owner == "plmrec"
        assert task.retries >= 1
        assert task.retry_policy is not None


def test_the_six_dags_of_the_chain_are_there():
    assert set(CHAIN) <= {path.stem for path in DAG_FILES}


def test_each_dag_is_triggered_by_what_the_one_before_produces():
    dags = {path.stem: load(path)[path.stem] for path in DAG_FILES}

    def produced(name):
        return {outlet.uri for task in dags[name].tasks for outlet in task.outlets}

    def awaited(name):
        return uris(dags[name].timetable.asset_condition)

    for before, after in itertools.pairwise(CHAIN):
        assert produced(before) & awaited(after), (before, after)
    assert produced("plmrec_embed") & awaited("plmrec_refresh_index")


def test_a_data_error_fails_at_once_and_an_outage_is_retried():
    from airflow.sdk import RetryAction

    from plmrec.errors import DataContractError, ServiceUnavailableError
    from plmrec_dagkit import RETRIES

    assert RETRIES.evaluate(DataContractError("x"), 1, 3).action == RetryAction.FAIL
    assert RETRIES.evaluate(ServiceUnavailableError("x"), 1, 3).action == RetryAction.RETRY
