"""The page that lists validations: what failed is on it, and nothing on it needs a network."""

from __future__ import annotations

import json

from plmrec.quality.run_list import write_run_list


def store_result(results, *, table, run, failed=()):
    outcomes = [
        {
            "success": False,
            "expectation_config": {"type": "expect", "meta": {"reason": reason}},
            "result": {"unexpected_count": count},
        }
        for reason, count in failed
    ]
    file = results / table / run / "now" / f"batch-{table}.json"
    file.parent.mkdir(parents=True)
    file.write_text(
        json.dumps(
            {
                "meta": {"run_id": {"run_name": run}},
                "suite_name": table,
                "statistics": {"evaluated_expectations": 5},
                "results": outcomes,
            }
        )
    )


def test_the_newest_run_comes_first_with_what_failed_and_a_link_to_its_page(tmp_path):
    store_result(tmp_path / "results", table="items", run="2026-01-01")
    store_result(tmp_path / "results", table="users", run="2026-02-02", failed=[("no_id", 3)])
    (tmp_path / "docs").mkdir()
    text = write_run_list(tmp_path / "docs", tmp_path / "results").read_text()
    assert text.index("2026-02-02") < text.index("2026-01-01")
    assert "no_id: 3" in text
    assert 'href="validations/users/2026-02-02/now/batch-users.html"' in text


def test_the_page_needs_nothing_from_elsewhere(tmp_path):
    store_result(tmp_path / "results", table="<i>", run="r", failed=[("<script>", 1)])
    (tmp_path / "docs").mkdir()
    text = write_run_list(tmp_path / "docs", tmp_path / "results").read_text()
    assert "http" not in text
    assert "<script" not in text
