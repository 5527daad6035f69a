from __future__ import annotations

from dataclasses import replace

import pytest

from plmrec.params import SpeechParams
from plmrec.stores.quarantine import Quarantine
from plmrec.stores.workspace import Workspace
from tests.support.catalogue import N_SHARDS, write_items
from tests.support.transcribing import (
    FILES,
    ITEMS,
    Counting,
    Judge,
    recognisers_of,
    rows,
    run,
    total,
)

STRICT = SpeechParams(
    backend="scripted", quality={"min_words": 1, "max_words_per_s": 0.5}, safer_options={"a": 1}
)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    workspace = Workspace(str(tmp_path / "workspace"))
    write_items(workspace, ITEMS, files=FILES)
    return workspace


def test_what_was_heard_is_measured_and_accepted_or_not_judged(workspace):
    params = SpeechParams(backend="scripted", quality={"min_words": 5})
    run(workspace, params=params)
    found = rows(workspace)
    long, short = found["b/'; --"], found["a"]
    assert (long["verdict"], short["verdict"]) == ("accepted", "unjudged")
    assert long["confidence"] == 0.5
    assert long["words_per_s"] == pytest.approx(1.0)
    assert long["repetition"] == pytest.approx(0.75)  # of four groups one is new
    assert long["speech_s"] == long["media_s"] == pytest.approx(7.0)
    assert len(long["measures"]) == len(long["segments"])
    assert [word["text"] for word in long["words"]] == long["segments"][0]["text"].split()
    assert found["c"]["verdict"] is found["c"]["confidence"] is found["d"]["n_tries"] is None


def test_what_is_not_good_enough_is_heard_again_and_then_refused(workspace):
    safer, judge = Counting(version="safer"), Judge()
    chosen = recognisers_of(Counting(), params=STRICT, safer=safer)
    reports = run(workspace, chosen=chosen, judge=judge)
    assert safer.n_spans == 3  # a, b and f
    found = rows(workspace)
    assert {key for key, row in found.items() if row["status"] == "refused"} == {
        "a", "b/'; --", "d", "f",
    }  # fmt: skip
    assert (found["a"]["verdict"], found["a"]["n_tries"]) == ("refused", 2)
    assert found["a"]["segments"] == []
    assert total(reports, "quarantined") == 4
    assert total(reports, "tried_again") == 3
    listed = {(each.key, each.reason) for each in Quarantine(workspace).list()}
    assert ("a", "speech_too_fast") in listed
    assert max(judge.asked) <= 3
    assert len(judge.asked) <= 2 * N_SHARDS  # for each shard, and once more for second tries


def test_a_second_try_that_is_good_enough_is_taken(workspace):
    class Terse(Counting):
        def recognise(self, spans, languages):
            found = super().recognise(spans, languages)
            return [
                heard._replace(
                    segments=tuple(replace(each, text="talk") for each in heard.segments)
                )
                for heard in found
            ]

    safer = Terse(version="safer")
    run(workspace, chosen=recognisers_of(Counting(), params=STRICT, safer=safer))
    row = rows(workspace)["b/'; --"]
    assert (row["status"], row["verdict"], row["n_tries"]) == ("speech", "accepted", 2)
    assert row["backend"] == "counting@safer"


def test_other_limits_recompute_what_was_heard_alone(workspace):
    run(workspace)
    other = SpeechParams(backend="scripted", quality={"min_words": 10})
    assert total(run(workspace, params=other), "computed") == 4  # not "c" and "e"
