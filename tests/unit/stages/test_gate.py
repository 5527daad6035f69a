"""The numbers by which a dataset is judged."""

from __future__ import annotations

from collections import Counter

import pytest

from plmrec.quality.base import Limits
from plmrec.stages.gate import breach_text, gate_facts

LIMITS = Limits(max_text_chars=100, latest_s=0, max_quarantined_share=0.2, max_volume_drop=0.5)


def test_small_tables_are_not_judged_by_shares():
    facts = gate_facts({"items": (19, 1), "media": (3, 1)}, before={"items": 19}, min_rows=20)
    assert facts == {"items_out": 1.0}


def test_shares_are_of_the_rows_in_and_drops_of_the_rows_before():
    counts = {"items": (100, 70), "interactions": (40, 40)}
    facts = gate_facts(counts, before={"items": 140, "interactions": 20}, min_rows=20)
    assert facts["items_refused_share"] == pytest.approx(0.3)
    assert facts["items_volume_drop"] == pytest.approx(0.5)
    assert facts["interactions_volume_drop"] == 0.0


def test_a_breach_says_what_and_how_much_and_why():
    facts = {"items_out": 0.0, "items_refused_share": 0.43, "users_volume_drop": 0.9}
    reasons = {"items": Counter(unknown_kind=40, missing_title=3)}
    text = breach_text(list(facts), facts, LIMITS, reasons)
    assert "at least one good item, got none" in text
    assert (
        "at most 20.0% of items in quarantine, got 43.0% (unknown_kind 40, missing_title 3)" in text
    )
    assert "at most 50.0% of users to be gone since the last run, got 90.0%" in text
