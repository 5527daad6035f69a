from __future__ import annotations

import numpy as np
import pytest

from plmrec.params import SpeechParams
from plmrec.speech.base import Window
from plmrec.stages import transcribe as stage
from plmrec.stages.hearers import LocalHearer
from plmrec.stages.transcript_files import subtitles_name
from plmrec.stores.quarantine import Quarantine
from plmrec.stores.workspace import Workspace
from plmrec.text.subtitles import parse_subtitles
from tests.support.catalogue import N_SHARDS, write_items
from tests.support.media import bursts, tone, wav
from tests.support.transcribing import (
    FILES,
    ITEMS,
    SRT,
    Counting,
    Judge,
    recognisers_of,
    rows,
    run,
    total,
)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    workspace = Workspace(str(tmp_path / "workspace"))
    write_items(workspace, ITEMS, files=FILES)
    return workspace


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


def test_items_with_text_have_subtitles_that_say_the_same(workspace):
    run(workspace)
    for kind in ("vtt", "srt"):
        names = {subtitles_name(key, kind) for key in ("a", "b/'; --", "c", "f")}
        assert set(workspace.list("transcripts", kind)) == names
        text = workspace.read_bytes("transcripts", kind, subtitles_name("b/'; --", kind))
        said = [segment["text"] for segment in rows(workspace)["b/'; --"]["segments"]]
        assert [segment.text for segment in parse_subtitles(text).segments] == said


def test_a_second_run_computes_nothing_and_writes_no_row(workspace):
    run(workspace)
    before = rows(workspace)
    stamp = workspace.local("transcripts", "part-000.parquet").stat().st_mtime_ns
    recogniser = Counting()
    reports = run(workspace, recogniser)
    assert (total(reports, "computed"), total(reports, "reused")) == (0, 6)
    assert recogniser.n_spans == 0
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
    assert recogniser.n_spans == 0
    assert {key for key in after if after[key] != before[key]} == {"c"}
    assert b"Goodbye" in workspace.read_bytes("transcripts", "vtt", "c.vtt")


def test_a_new_recogniser_recomputes_what_was_heard_alone(workspace):
    run(workspace)
    assert total(run(workspace, Counting(version="2")), "computed") == 4  # not "c" and "e"
    assert total(run(workspace, Counting(version="2")), "computed") == 0


def test_subtitles_that_come_to_be_of_use_end_the_dependence_on_the_recogniser(workspace):
    run(workspace)
    write_items(workspace, ITEMS, files={"empty.wav": SRT})  # of "f"; the media of "d" are broken
    run(workspace)
    assert rows(workspace)["f"]["status"] == "subtitles"
    other = Counting(version="2")
    assert total(run(workspace, other), "computed") == 3  # "a", "b" and "d"
    assert rows(workspace)["f"]["status"] == "subtitles"


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
        inputs = stage.read_inputs(opened, shard, recognisers_of(Counting()))
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
    assert again.n_spans == 1  # of the three that are heard: a, b and f
    assert rows(workspace) == rows(other)
    assert vtt(workspace) == vtt(other)
    assert ".done" not in workspace.list("transcripts")


def test_items_kept_by_an_interrupted_run_are_heard_again_when_they_changed(workspace):
    with pytest.raises(KeyboardInterrupt):
        run(workspace, Counting(fail_at=3))
    recogniser = Counting(version="2")
    run(workspace, recogniser)
    assert recogniser.n_spans == 3
    assert all(
        "@2" in row["backend"] for row in rows(workspace).values() if row["status"] == "speech"
    )


def test_media_are_heard_longest_first(workspace):
    items = [{"item_id": f"i{n}", "media": f"{n}.wav"} for n in range(1, 9)]
    write_items(workspace, items, files={f"{n}.wav": wav(tone(n % 4 + 1)) for n in range(1, 9)})
    opened = stage.open_tables(workspace, n_shards=N_SHARDS)
    for shard in opened.transcripts.shards:
        recogniser = Counting()
        chosen = recognisers_of(recogniser)
        stage.transcribe_shard(
            opened,
            shard,
            recognisers=chosen,
            hearer=LocalHearer(workspace, chosen),
            judge=Judge(),
        )
        lengths = [end_s - start_s for start_s, end_s in recogniser.heard]
        assert len(lengths) > 1
        assert lengths == sorted(lengths, reverse=True)


class TestLongMedia:
    WINDOW = Window(max_s=3.0, min_s=0.0, long_pause_s=1.2)
    PARAMS = SpeechParams(backend="scripted", vad="energy")

    @pytest.fixture
    def workspace(self, tmp_path) -> Workspace:
        workspace = Workspace(str(tmp_path / "long"))
        write_items(workspace, [{"item_id": "long", "media": "long.wav"}], files={})
        quiet = np.zeros(8_000, np.float32)
        write_items(
            workspace,
            [{"item_id": "long", "media": "long.wav"}],
            files={"long.wav": wav(np.concatenate([quiet, bursts(60)]))},
        )
        return workspace

    def test_a_killed_run_goes_on_at_the_last_pause_and_hears_nothing_twice(
        self, workspace, tmp_path
    ):
        whole = Counting(window=self.WINDOW)
        run(workspace, whole, self.PARAMS)
        expected = rows(workspace)["long"]
        assert whole.n_spans == 15
        workspace.remove("transcripts")
        first = Counting(window=self.WINDOW, fail_at=9)
        with pytest.raises(KeyboardInterrupt):
            run(workspace, first, self.PARAMS)
        second = Counting(window=self.WINDOW)
        run(workspace, second, self.PARAMS)
        assert first.heard + second.heard == whole.heard
        assert rows(workspace)["long"] == expected
        assert ".done" not in workspace.list("transcripts")

    def test_notes_made_with_other_settings_do_not_count(self, workspace):
        with pytest.raises(KeyboardInterrupt):
            run(workspace, Counting(window=self.WINDOW, fail_at=9), self.PARAMS)
        other = Counting(window=self.WINDOW, version="2")
        run(workspace, other, self.PARAMS)
        assert other.n_spans == 15


def test_overrides_choose_by_language_and_kind_and_recompute_those_items_alone(workspace):
    items = [
        {"item_id": "x", "media": "a.wav", "language": "de", "kind": "audio"},
        {"item_id": "y", "media": "a.wav", "language": "de-AT", "kind": "video"},
        {"item_id": "z", "media": "a.wav", "language": "en", "kind": "audio"},
        {"item_id": "s", "subtitles": "c.srt", "language": "de", "kind": "audio"},
    ]
    write_items(workspace, items)
    run(workspace)
    overrides = [{"backend": "scripted", "language": "de", "kind": "audio"}]
    params = SpeechParams(backend="scripted", overrides=overrides)
    german = Counting(version="german")
    chosen = recognisers_of(Counting(), german, params=params)
    reports = run(workspace, chosen=chosen)
    assert total(reports, "computed") == 1
    assert {key: row["backend"] for key, row in rows(workspace).items()} == {
        "x": "counting@german",
        "y": "counting@1",
        "z": "counting@1",
        "s": "subtitles@2",
    }
