"""Validation with the real judge and the real snapshots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timezone

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plmrec.app.validate import restore_dataset, validate
from plmrec.errors import DataContractError, GateError
from plmrec.params import Params, ValidationParams
from plmrec.settings import Settings
from plmrec.stores.quarantine import Quarantine
from plmrec.stores.tables import interactions_table, items_table, users_table
from plmrec.stores.workspace import Workspace
from plmrec.versioning.tree import tree_digest
from tests.support.raw_datasets import HEADER, item, write_dataset, write_sound, write_video

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
EVIL = "1'); DROP TABLE items; --"
HEBREW = "\u05e9\u05dc\u05d5\u05dd \U0001f469\u200d\U0001f467"
LENIENT = Params(validation=ValidationParams(max_quarantined_share=1.0), shards=2)
STRICT = Params(shards=2)
VIEW = "u1,a,view,30,2025-01-01T00:00:00Z"


def run(source, workspace, *, params=LENIENT, now=NOW):
    return validate(
        str(source), settings=Settings(workspace=str(workspace)), params=params, now=now
    )


def items_of(workspace, shards=2):
    table = items_table(Workspace(str(workspace)), shards)
    return {row["item_id"]: row for row in table.rows()}


def interactions_of(workspace, shards=2):
    return list(interactions_table(Workspace(str(workspace)), shards).rows())


def refusals_of(workspace):
    return list(Quarantine(Workspace(str(workspace))).list())


ITEMS = [
    item("a", media="media/good.wav", title=HEBREW),
    item(7, media="media/silent.wav", genres="Drama|Comedy", studio="X"),
    item(EVIL, media="media/picture.mp4", description="<p>Big &amp; <b>bold</b></p>"),
    item("url", media="s3://bucket/film.mp4"),
    item("zero", media="media/zero.wav"),
    item("cut", media="media/cut.mp4"),
    item("text", media="media/text.mp3"),
    item("none", media="media/none.wav"),
    item("out", media="../secret.wav"),
    item("subs", subtitles="media/words.srt"),
    item("a"),
    item("url", media="s3://bucket/film.mp4"),
    item(None),
    item("k", kind="podcast"),
    item("t", title=" "),
    item("long", description="x" * 10_000_000),
    item("nan", duration_s=float("nan")),
    item("type", duration_s="two hours"),
    b'{"item_id": "broken", "title": "\xff\xfe"}',
    b'{"item_id": "half',
]
INTERACTIONS = [
    VIEW,
    '"u2",a,comment,"two\nlines",2025-01-01T00:00:00Z',
    f"u3,{EVIL},like,,2025-01-01T00:00:00Z",
    "u3,7.0,rating,4,1735689600",
    VIEW,
    "u4,missing,like,,2025-01-01T00:00:00Z",
    "u4,k,like,,2025-01-01T00:00:00Z",
    "u4,a,teleport,,2025-01-01T00:00:00Z",
    ",a,like,,2025-01-01T00:00:00Z",
    "u4,a,like,,2030-01-01T00:00:00Z",
    "u4,a,like,,1969-12-31T23:59:59Z",
    "u4,a,like,,",
    "u4,a,like,,soon",
    "u4,a,rating,NaN,2025-01-01T00:00:00Z",
    "u4,a,view,inf,2025-01-01T00:00:00Z",
    "u4,a,rating,great,2025-01-01T00:00:00Z",
    "u4,a,rating,,2025-01-01T00:00:00Z",
    "u4,a,rating,99,2025-01-01T00:00:00Z",
    "u4,a,view,-5,2025-01-01T00:00:00Z",
    "u4,a,like",
    b"u4,\xff,like,,2025-01-01T00:00:00Z",
]


@pytest.fixture(scope="module")
def everything_wrong(tmp_path_factory):
    """A dataset with every kind of bad row and file, and its workspace after validation."""
    root = tmp_path_factory.mktemp("bad")
    source = write_dataset(root / "raw", ITEMS, INTERACTIONS)
    write_sound(source / "media" / "good.wav")
    write_sound(source / "media" / "silent.wav", silent=True)
    video = write_video(source / "media" / "picture.mp4", frames=40).read_bytes()
    (source / "media" / "cut.mp4").write_bytes(video[: len(video) // 2])
    (source / "media" / "text.mp3").write_text("not a sound\n" * 50)
    (source / "media" / "zero.wav").touch()
    (source / "media" / "words.srt").write_text("no cue")
    write_sound(root / "secret.wav")
    users = "user_id,age\nu1,30\nu1,30\nu1,31\nu2,\n,9\n"
    (source / "users.csv").write_text(users)
    return root / "ws", run(source, root / "ws")


class TestBadInput:
    @pytest.mark.parametrize(
        ("table", "origin", "reason"),
        [
            ("items", "items.jsonl:11", "duplicate_id"),
            ("items", "items.jsonl:12", "duplicate_row"),
            ("items", "items.jsonl:13", "missing_item_id"),
            ("items", "items.jsonl:14", "unknown_kind"),
            ("items", "items.jsonl:15", "missing_title"),
            ("items", "items.jsonl:16", "text_too_long"),
            ("items", "items.jsonl:17", "value_not_finite"),
            ("items", "items.jsonl:18", "wrong_type"),
            ("items", "items.jsonl:19", "broken_utf8"),
            ("items", "items.jsonl:20", "not_json"),
            ("media", "items.jsonl:5", "media_empty"),
            ("media", "items.jsonl:6", "media_not_decodable"),
            ("media", "items.jsonl:7", "media_not_decodable"),
            ("media", "items.jsonl:8", "media_missing"),
            ("media", "items.jsonl:9", "path_outside_dataset"),
            ("media", "items.jsonl:10", "subtitles_not_readable"),
            ("interactions", "interactions.csv:7", "duplicate_row"),
            ("interactions", "interactions.csv:8", "unknown_item"),
            ("interactions", "interactions.csv:9", "unknown_item"),
            ("interactions", "interactions.csv:10", "unknown_event"),
            ("interactions", "interactions.csv:11", "missing_user_id"),
            ("interactions", "interactions.csv:12", "timestamp_in_future"),
            ("interactions", "interactions.csv:13", "timestamp_before_1970"),
            ("interactions", "interactions.csv:14", "missing_timestamp"),
            ("interactions", "interactions.csv:15", "wrong_type"),
            ("interactions", "interactions.csv:16", "value_not_finite"),
            ("interactions", "interactions.csv:17", "value_not_finite"),
            ("interactions", "interactions.csv:18", "wrong_type"),
            ("interactions", "interactions.csv:19", "rating_without_number"),
            ("interactions", "interactions.csv:20", "value_out_of_range"),
            ("interactions", "interactions.csv:21", "value_out_of_range"),
            ("interactions", "interactions.csv:22", "wrong_column_count"),
            ("interactions", "interactions.csv:23", "broken_utf8"),
            ("users", "users.csv:3", "duplicate_row"),
            ("users", "users.csv:4", "duplicate_id"),
            ("users", "users.csv:6", "missing_user_id"),
        ],
    )
    def test_each_is_in_quarantine_with_reason_and_origin(
        self, everything_wrong, table, origin, reason
    ):
        found = [
            refusal
            for refusal in refusals_of(everything_wrong[0])
            if refusal.origin == origin and refusal.table == table
        ]
        assert [refusal.reason for refusal in found] == [reason]
        assert "expected" in found[0].detail
        assert len(found[0].raw) <= 10_100

    def test_nothing_else_is_in_quarantine_and_the_counts_add_up(self, everything_wrong):
        workspace, report = everything_wrong
        assert report["tables"] == {
            "items": {"in": 20, "out": 10, "quarantined": 10},
            "users": {"in": 5, "out": 2, "quarantined": 3},
            "interactions": {"in": 21, "out": 4, "quarantined": 17},
            "media": {"in": 9, "out": 3, "quarantined": 6},
        }
        assert report["in"] == 55
        assert report["in"] == report["out"] + report["quarantined"]
        assert len(refusals_of(workspace)) == report["quarantined"]

    def test_the_good_items_go_through_clean(self, everything_wrong):
        items = items_of(everything_wrong[0])
        assert set(items) == {"a", "7", EVIL, "url", "zero", "cut", "text", "none", "out", "subs"}
        assert items["a"]["title"] == HEBREW
        assert items["7"]["genres"] == ["Drama", "Comedy"]
        assert json.loads(items["7"]["extra"]) == {"studio": "X"}
        assert items[EVIL]["description"] == "Big & bold"

    def test_the_good_interactions_go_through(self, everything_wrong):
        rows = interactions_of(everything_wrong[0])
        found = sorted((row["user_id"], row["item_id"], row["event"]) for row in rows)
        assert found == [
            ("u1", "a", "view"),
            ("u2", "a", "comment"),
            ("u3", EVIL, "like"),
            ("u3", "7", "rating"),
        ]
        comment = next(row for row in rows if row["event"] == "comment")
        assert comment["text"] == "two\nlines"
        assert {row["timestamp"] for row in rows} == {datetime(2025, 1, 1, tzinfo=timezone.utc)}

    def test_an_item_with_bad_media_keeps_its_row_and_good_media_are_copied(self, everything_wrong):
        workspace, _ = everything_wrong
        items = items_of(workspace)
        media = {key: row["media"] for key, row in items.items() if row["media"]}
        assert media == {
            "a": "good.wav",
            "7": "silent.wav",
            EVIL: "picture.mp4",
            "url": "s3://bucket/film.mp4",
        }
        stored = Workspace(str(workspace)).list("dataset", "media")
        assert stored == ["good.wav", "picture.mp4", "silent.wav"]
        assert items["a"]["media_digest"]
        assert items["subs"]["subtitles"] is None

    def test_the_report_for_people_is_written(self, everything_wrong):
        workspace, report = everything_wrong
        page = workspace / report["data_docs"]
        assert page.is_file()
        pages = {path.parts[-4] for path in page.parent.glob("validations/*/*/*/*.html")}
        assert pages == {"items", "users", "interactions", "media", "dataset"}


def test_markup_in_the_data_is_not_markup_in_the_report(tmp_path):
    evil = "<svg/onload=alert(1)>"
    source = write_dataset(tmp_path / "raw", [item("a"), item(evil, kind=evil)], [f"u,a,{evil},,"])
    report = run(source, tmp_path / "ws")
    pages = (tmp_path / "ws" / report["data_docs"]).parent.rglob("*.html")
    texts = [page.read_text() for page in pages]
    assert any("&lt;svg/onload" in text for text in texts)
    assert not any("<svg/onload" in text for text in texts)


class TestGates:
    def test_an_empty_dataset_is_refused(self, tmp_path):
        with pytest.raises(DataContractError, match=r"items\.jsonl: expected at least one item"):
            run(write_dataset(tmp_path / "raw", []), tmp_path / "ws")

    def test_a_missing_column_is_named_with_its_file(self, tmp_path):
        source = write_dataset(tmp_path / "raw", [item("a")], ["u1,a"], header="user_id,item_id")
        with pytest.raises(DataContractError, match=r"interactions\.csv: .* missing: event; found"):
            run(source, tmp_path / "ws")

    def test_too_much_in_quarantine_stops_the_run_and_the_quarantine_says_why(self, tmp_path):
        bad = [f"u{n},nowhere,like,,2025-01-01" for n in range(30)]
        good = [f"u{n},a,like,,2025-01-01" for n in range(70)]
        source = write_dataset(tmp_path / "raw", [item("a")], good + bad)
        with pytest.raises(GateError, match=r"at most 20\.0% .* \(unknown_item 30\)"):
            run(source, tmp_path / "ws", params=STRICT)
        assert len(refusals_of(tmp_path / "ws")) == 30
        assert not (tmp_path / "ws" / "dataset").exists()

    def test_no_good_item_at_all_stops_the_run(self, tmp_path):
        source = write_dataset(tmp_path / "raw", [item("a", kind="x")], [])
        with pytest.raises(GateError, match=r"at least one good item, got none \(unknown_kind 1\)"):
            run(source, tmp_path / "ws")

    def test_a_table_that_shrank_stops_the_run_and_the_dataset_before_stays(self, tmp_path):
        rows = [f"u{n},a,like,,2025-01-01" for n in range(100)]
        before = run(write_dataset(tmp_path / "raw", [item("a")], rows), tmp_path / "ws")
        write_dataset(tmp_path / "raw", [item("a")], rows[:40])
        with pytest.raises(GateError, match=r"at most 50\.0% of interactions to be gone .* 60\.0%"):
            run(tmp_path / "raw", tmp_path / "ws", params=STRICT)
        assert tree_digest(tmp_path / "ws" / "dataset") == before["digest"]
        assert len(interactions_of(tmp_path / "ws")) == 100

    def test_items_without_interactions_are_a_dataset_with_a_warning(self, tmp_path):
        report = run(write_dataset(tmp_path / "raw", [item("a")]), tmp_path / "ws", params=STRICT)
        assert report["warnings"] == ["no interactions: only content can be recommended from"]
        assert report["out"] == 1

    def test_a_dataset_without_any_times_needs_none(self, tmp_path):
        header = HEADER.removesuffix(",timestamp")
        source = write_dataset(tmp_path / "raw", [item("a")], ["u1,a,like,"], header=header)
        assert run(source, tmp_path / "ws")["tables"]["interactions"]["out"] == 1


class TestReruns:
    def test_a_second_run_computes_nothing_and_has_the_same_digest(self, tmp_path):
        source = write_dataset(tmp_path / "raw", [item("a", media="a.wav")], [VIEW])
        write_sound(source / "media" / "a.wav")
        first = run(source, tmp_path / "ws")
        second = run(source, tmp_path / "ws")
        assert (first["computed"], second["computed"], second["reused"]) == (3, 0, 3)
        assert first["digest"] == second["digest"]
        assert second["tables"] == first["tables"]

    def test_another_workspace_gives_the_same_digest(self, tmp_path):
        source = write_dataset(tmp_path / "raw", [item("a"), item("b")], [VIEW])
        assert run(source, tmp_path / "one")["digest"] == run(source, tmp_path / "two")["digest"]

    def test_one_more_item_changes_one_row(self, tmp_path):
        items = [item(f"i{n}") for n in range(20)]
        first = run(write_dataset(tmp_path / "raw", items), tmp_path / "ws")
        before = items_of(tmp_path / "ws")
        second = run(write_dataset(tmp_path / "raw", [*items, item("new")]), tmp_path / "ws")
        after = items_of(tmp_path / "ws")
        assert first["digest"] != second["digest"]
        assert after.pop("new")
        assert after == before

    def test_changed_or_missing_media_are_noticed(self, tmp_path):
        source = write_dataset(tmp_path / "raw", [item("a", media="a.wav")], [VIEW])
        write_sound(source / "media" / "a.wav")
        run(source, tmp_path / "ws")
        before = items_of(tmp_path / "ws")["a"]
        write_sound(source / "media" / "a.wav", seconds=1.0)
        assert run(source, tmp_path / "ws")["computed"] == 3
        after = items_of(tmp_path / "ws")["a"]
        assert after["media_digest"] != before["media_digest"]
        assert after["digest"] != before["digest"]
        (source / "media" / "a.wav").unlink()
        assert run(source, tmp_path / "ws")["reasons"] == {"media": {"media_missing": 1}}

    def test_a_run_that_is_killed_leaves_the_dataset_before_it(self, tmp_path):
        source = write_dataset(tmp_path / "raw", [item("a")], [VIEW])
        first = run(source, tmp_path / "ws")
        write_dataset(tmp_path / "raw", [item("a"), item("b")], [VIEW])
        code = (
            "import os, sys\nfrom plmrec.app.validate import validate\n"
            "def kill(table, count):\n    table == 'interactions' and os.kill(os.getpid(), 9)\n"
            "validate(sys.argv[1], on_rows=kill)\n"
        )
        environment = os.environ | {"PLMREC_WORKSPACE": str(tmp_path / "ws")}
        command = [sys.executable, "-c", code, str(source)]
        assert subprocess.run(command, env=environment, check=False).returncode == -9
        assert tree_digest(tmp_path / "ws" / "dataset") == first["digest"]
        second = run(source, tmp_path / "ws")
        assert second["digest"] == run(source, tmp_path / "other")["digest"]

    def test_a_damaged_workspace_is_mended(self, tmp_path):
        source = write_dataset(tmp_path / "raw", [item("a")], [VIEW])
        first = run(source, tmp_path / "ws")
        (tmp_path / "ws" / "dataset" / "items" / "part-000.parquet").unlink()
        second = run(source, tmp_path / "ws")
        assert second["computed"] == 2
        assert tree_digest(tmp_path / "ws" / "dataset") == second["digest"] == first["digest"]

    def test_what_lay_in_the_future_is_looked_at_again_when_it_has_come(self, tmp_path):
        source = write_dataset(tmp_path / "raw", [item("a")], [VIEW, "u2,a,like,,2026-06-01"])
        assert run(source, tmp_path / "ws")["quarantined"] == 1
        assert run(source, tmp_path / "ws")["computed"] == 0
        later = run(source, tmp_path / "ws", now=datetime(2026, 7, 1, tzinfo=timezone.utc))
        assert (later["computed"], later["quarantined"]) == (3, 0)
        assert refusals_of(tmp_path / "ws") == []


class TestFormats:
    def test_csv_jsonl_and_parquet_of_the_same_rows_are_the_same_dataset(self, tmp_path):
        rows = [item("a", genres=["x", "y"]), item("b", genres=["z"])]
        likes = [{"user_id": 1, "item_id": "a", "event": "like", "timestamp": "2025-01-01"}]
        jsonl, csv, parquet = (tmp_path / name for name in ("jsonl", "csv", "parquet"))
        write_dataset(jsonl, rows)
        (jsonl / "interactions.csv").unlink()
        (jsonl / "interactions.jsonl").write_text(json.dumps(likes[0]))
        write_dataset(csv, [], ["1,a,like,,2025-01-01"])
        (csv / "items.jsonl").unlink()
        lines = [f"{r['item_id']},video,{r['title']},{'|'.join(r['genres'])}" for r in rows]
        (csv / "items.csv").write_text("\n".join(["item_id,kind,title,genres", *lines]))
        parquet.mkdir()
        pq.write_table(pa.Table.from_pylist(rows), parquet / "items.parquet")
        pq.write_table(pa.Table.from_pylist(likes), parquet / "interactions.parquet")
        digests = {run(source, tmp_path / f"ws-{source.name}")["digest"]
                   for source in (jsonl, csv, parquet)}  # fmt: skip
        assert len(digests) == 1

    def test_users_attributes_are_kept(self, tmp_path):
        source = write_dataset(tmp_path / "raw", [item("a")], [VIEW])
        (source / "users.jsonl").write_text('{"user_id": 5, "age": 30}\n')
        run(source, tmp_path / "ws")
        [row] = users_table(Workspace(str(tmp_path / "ws")), 2).rows()
        assert row == {"user_id": "5", "attributes": '{"age": 30}'}


def test_an_earlier_dataset_can_be_restored(tmp_path):
    first = run(write_dataset(tmp_path / "raw", [item("a")], [VIEW]), tmp_path / "ws")
    run(write_dataset(tmp_path / "raw", [item("a"), item("b")], [VIEW]), tmp_path / "ws")
    restore_dataset(first["digest"], settings=Settings(workspace=str(tmp_path / "ws")))
    assert set(items_of(tmp_path / "ws")) == {"a"}
    manifest = Workspace(str(tmp_path / "ws")).read_json("dataset", "manifest.json")
    assert manifest == {
        "digest": first["digest"],
        "source": "raw",
        "counts": {"items": 1, "interactions": 1, "users": 0, "media": 0},
    }


@pytest.mark.realdata
def test_movielens_goes_through_but_for_films_without_a_title(tmp_path, shared_data):
    report = run(shared_data / "ml100k", tmp_path / "ws", params=Params())
    assert report["tables"]["items"] == {"in": 1682, "out": 1679, "quarantined": 3}
    assert report["reasons"]["items"] == {"missing_title": 3}
    assert set(report["reasons"]["interactions"]) == {"unknown_item"}
    texts = [row["description"] or "" for row in items_of(tmp_path / "ws", 4).values()]
    assert not any("(qv)" in text for text in texts)
