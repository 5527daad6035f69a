"""Questions to the quarantine."""

from __future__ import annotations

from plmrec.app.quarantine import list_quarantine
from plmrec.settings import Settings
from plmrec.stages.refusals import Refusals
from plmrec.stores.workspace import Workspace


def refuse(workspace, count, *, table="items", reason="missing_title"):
    refusals = Refusals(workspace, "validate")
    for number in range(count):
        refusals.add(
            table,
            key=str(number),
            reason=reason,
            detail="d",
            origin=f"items.csv:{number}",
            raw="{}",
        )
    refusals.finish()


def test_refusals_are_counted_by_reason_and_a_few_of_each_are_shown(tmp_path):
    settings = Settings(workspace=str(tmp_path))
    refuse(Workspace(str(tmp_path)), 12)
    found = list_quarantine(settings=settings, limit=3)
    assert found["total"] == 12
    assert found["counts"] == [
        {"stage": "validate", "table": "items", "reason": "missing_title", "count": 12}
    ]
    assert [row["origin"] for row in found["refusals"]] == [f"items.csv:{n}" for n in range(3)]


def test_filters_narrow_the_list(tmp_path):
    settings = Settings(workspace=str(tmp_path))
    refuse(Workspace(str(tmp_path)), 2)
    assert list_quarantine(settings=settings, reason="missing_title")["total"] == 2
    assert list_quarantine(settings=settings, reason="other")["total"] == 0
    assert list_quarantine(settings=settings, table="users")["total"] == 0


def test_a_run_replaces_what_the_run_before_refused(tmp_path):
    workspace = Workspace(str(tmp_path))
    refuse(workspace, 6_000)
    assert len(workspace.list("quarantine", "validate")) == 2
    refuse(workspace, 1)
    assert list_quarantine(settings=Settings(workspace=str(tmp_path)))["total"] == 1
    refuse(workspace, 0)
    assert list_quarantine(settings=Settings(workspace=str(tmp_path)))["total"] == 0
