from __future__ import annotations

import pytest

from plmrec.backends import build_backend
from plmrec.params import SpeechParams
from plmrec.stages import transcribe as stage
from plmrec.stages.transcript_files import vtt_name
from plmrec.stores.quarantine import Quarantine
from plmrec.stores.workspace import Workspace
from plmrec.text.subtitles import parse_subtitles
from tests.support.catalogue import N_SHARDS, write_items
from tests.support.media import tone, wav

PARAMS = SpeechParams(backend="scripted")
SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello.\n"
FILES = {"a.wav": wav(tone(2)), "b.wav": wav(tone(7)), "c.srt": SRT, "empty.wav": b""}
ITEMS = [
    {"item_id": "a", "media": "a.wav"},
    {"item_id": "b/'; --", "media": "b.wav"},
    {"item_id": "c", "subtitles": "c.srt", "media": "a.wav"},
    {"item_id": "d", "media": "empty.wav"},
    {"item_id": "e"},
    {"item_id": "f", "subtitles": "empty.wav", "media": "a.wav"},
]


class Counting:
    """Passes sound on to the scripted recogniser, counts items, and breaks off when told to."""

    name, language, sample_rate_hz = "counting", None, 16_000

    def __init__(self, *, version: str = "1", fail_at: int | None = None) -> None:
        self.version = version
        self.n_items = 0
        self._fail_at = fail_at
        self._inner = build_backend("speech", "scripted", {})

    def transcribe(self, chunks):
        self.n_items += 1
        if self.n_items == self._fail_at:
            raise KeyboardInterrupt
        yield from self._inner.transcribe(chunks)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    workspace = Workspace(str(tmp_path / "workspace"))
    write_items(workspace, ITEMS, files=FILES)
    return workspace


def run(workspace: Workspace, recogniser=None, params=PARAMS) -> list[dict]:
    """Transcribe all shards, and tidy up."""
    recogniser = recogniser or Counting()
    opened = stage.open_tables(workspace, n_shards=N_SHARDS)
    reports = [
        stage.transcribe_shard(opened, shard, recogniser=recogniser, params=params).as_dict()
        for shard in opened.transcripts.shards
    ]
    stage.tidy(opened)
    return reports


def rows(workspace: Workspace) -> dict[str, dict]:
    opened = stage.open_tables(workspace, n_shards=N_SHARDS)
    return {row["item_id"]: row for row in opened.transcripts.rows()}


def total(reports: list[dict], key: str) -> int:
    return sum(report[key] for report in reports)


def vtt(workspace: Workspace) -> set[str]:
    return set(workspace.list("transcripts", "vtt"))


def test_every_item_gets_one_row_and_the_counts_add_up(workspace):
    reports = run(workspace)
    found = rows(workspace)
    assert {key: row["status"] for key, row in found.items()} == {
        "a": "speech",
        "b/'; --": "speech",
        "c": "subtitles",
        "d": "refused",
        "e": "none",
        "f": "speech",
    }
    assert (total(reports, "in"), total(reports, "out"), total(reports, "quarantined")) == (6, 5, 1)
    assert (total(reports, "computed"), total(reports, "reused")) == (6, 0)


def test_the_quarantine_lists_refused_and_unusable_files(workspace):
    run(workspace)
    found = {(r.stage, r.table, r.key, r.reason, r.origin) for r in Quarantine(workspace).list()}
    assert found == {
        ("transcribe", "media", "d", "media_empty", "empty.wav"),
        ("transcribe", "media", "f", "subtitles_not_readable", "empty.wav"),
    }


def test_items_with_text_have_a_webvtt_file_that_says_the_same(workspace):
    run(workspace)
    assert vtt(workspace) == {vtt_name(key) for key in ("a", "b/'; --", "c", "f")}
    text = workspace.read_bytes("transcripts", "vtt", vtt_name("b/'; --"))
    said = [segment["text"] for segment in rows(workspace)["b/'; --"]["segments"]]
    assert [segment.text for segment in parse_subtitles(text).segments] == said


def test_a_second_run_computes_nothing_and_writes_no_row(workspace):
    run(workspace)
    before = rows(workspace)
    stamp = workspace.local("transcripts", "part-000.parquet").stat().st_mtime_ns
    recogniser = Counting()
    reports = run(workspace, recogniser)
    assert (total(reports, "computed"), total(reports, "reused")) == (0, 6)
    assert recogniser.n_items == 0
    assert rows(workspace) == before
    assert workspace.local("transcripts", "part-000.parquet").stat().st_mtime_ns == stamp
    assert len(list(Quarantine(workspace).list())) == 2


def test_new_subtitles_recompute_exactly_that_item(workspace):
    run(workspace)
    before = rows(workspace)
    write_items(workspace, ITEMS, files={"c.srt": SRT.replace(b"Hello", b"Goodbye")})
    recogniser = Counting()
    reports = run(workspace, recogniser)
    after = rows(workspace)
    assert total(reports, "computed") == 1
    assert recogniser.n_items == 0
    assert {key for key in after if after[key] != before[key]} == {"c"}
    assert b"Goodbye" in workspace.read_bytes("transcripts", "vtt", "c.vtt")


def test_a_new_recogniser_recomputes_items_with_media_alone(workspace):
    run(workspace)
    assert total(run(workspace, Counting(version="2")), "computed") == 5  # not "e"


def test_an_item_that_goes_takes_its_row_file_and_refusals_along(workspace):
    run(workspace)
    write_items(workspace, [item for item in ITEMS if item["item_id"] not in {"a", "d"}])
    reports = run(workspace)
    assert total(reports, "computed") == 0
    assert set(rows(workspace)) == {"b/'; --", "c", "e", "f"}
    assert "a.vtt" not in vtt(workspace)
    assert [refusal.key for refusal in Quarantine(workspace).list()] == ["f"]


def test_an_item_that_loses_its_text_loses_its_webvtt_file(workspace):
    run(workspace)
    write_items(workspace, [{"item_id": "a"}, *ITEMS[1:]])
    run(workspace)
    assert "a.vtt" not in vtt(workspace)


def test_a_file_that_was_missing_is_looked_at_when_it_is_there(workspace):
    data = FILES["a.wav"]
    workspace.remove("dataset", "media", "a.wav")
    items = [{"item_id": "a", "media": "a.wav", "media_digest": "known"}]
    write_items(workspace, items)
    run(workspace)
    assert rows(workspace)["a"]["status"] == "refused"
    assert total(run(workspace), "computed") == 0
    write_items(workspace, items, files={"a.wav": data})
    assert total(run(workspace), "computed") == 1
    assert rows(workspace)["a"]["status"] == "speech"


def test_media_that_could_not_be_reached_are_tried_again_in_the_next_run(workspace):
    write_items(
        workspace, [{"item_id": "a", "media": "http://127.0.0.1:9/a.wav"}, {"item_id": "e"}]
    )
    for _ in range(2):
        reports = run(workspace)
        assert total(reports, "quarantined") == 1
        assert rows(workspace)["a"]["problems"][0]["reason"] == "media_unreachable"
    assert total(reports, "computed") == 1
    opened = stage.open_tables(workspace, n_shards=N_SHARDS)
    for shard in opened.transcripts.shards:
        inputs = stage.read_inputs(opened, shard, Counting(), PARAMS)
        assert stage.is_shard_current(opened, shard, inputs)
        assert stage.is_pending(opened, shard, inputs) == ("a" in inputs)


def test_an_interrupted_run_loses_one_item_and_ends_with_the_same_rows(workspace, tmp_path):
    other = Workspace(str(tmp_path / "undisturbed"))
    write_items(other, ITEMS, files=FILES)
    run(other)
    recogniser = Counting(fail_at=3)
    with pytest.raises(KeyboardInterrupt):
        run(workspace, recogniser)
    assert not any("tmp" in name for name in workspace.list("transcripts"))
    again = Counting()
    run(workspace, again)
    assert again.n_items == 1  # of the three that are heard: a, b and f
    assert rows(workspace) == rows(other)
    assert vtt(workspace) == vtt(other)
    assert ".done" not in workspace.list("transcripts")


def test_items_kept_by_an_interrupted_run_are_heard_again_when_they_changed(workspace):
    with pytest.raises(KeyboardInterrupt):
        run(workspace, Counting(fail_at=3))
    recogniser = Counting(version="2")
    run(workspace, recogniser)
    assert recogniser.n_items == 3
    assert all(
        "@2" in row["backend"] for row in rows(workspace).values() if row["status"] == "speech"
    )
