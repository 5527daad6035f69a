from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import av
import pytest
import yaml

SAMPLE = Path(__file__).resolve().parents[2] / "sample"
MAX_BYTES = 6_000_000
EVENTS = {"impression", "view", "like", "dislike", "comment"}
EVENTS |= {"share", "rating", "click", "purchase", "skip"}
TABLES = ("items.jsonl", "interactions.csv", "users.csv", "spoken.tsv")


def read_jsonl(name: str) -> list[dict]:
    return [json.loads(line) for line in (SAMPLE / name).read_text("utf-8").splitlines()]


def read_csv(name: str, *, delimiter: str = ",") -> list[dict[str, str]]:
    with (SAMPLE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def is_time(text: str) -> bool:
    try:
        return 1970 <= datetime.fromisoformat(text).year < 2090
    except ValueError:
        return False


def is_number(text: str, low: float, high: float) -> bool:
    try:
        return math.isfinite(float(text)) and low <= float(text) <= high
    except ValueError:
        return False


@pytest.fixture(scope="module")
def faults() -> dict[str, list[dict]]:
    return yaml.safe_load((SAMPLE / "faults.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def items() -> list[dict]:
    return read_jsonl("items.jsonl")


@pytest.fixture(scope="module")
def interactions() -> list[dict[str, str]]:
    return read_csv("interactions.csv")


class TestSize:
    def test_is_small_enough_for_a_repository(self):
        files = [p for p in SAMPLE.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
        assert sum(path.stat().st_size for path in files) < MAX_BYTES

    def test_has_150_distinct_items_of_every_kind(self, items):
        good = {row["item_id"]: row for row in items if row["title"]}
        assert len(good) == 150
        assert len({row["title"] for row in good.values()}) == 150
        assert len({row["description"] for row in items}) == len(items)
        assert {row["kind"] for row in good.values()} == {"video", "audio", "ad", "product"}

    def test_has_300_users_with_8_to_200_interactions_each(self, interactions):
        users = {row["user_id"] for row in read_csv("users.csv")}
        counts = Counter(row["user_id"] for row in interactions if row["user_id"])
        assert len(users) == 300
        assert set(counts) == users
        assert 8 <= min(counts.values()) <= max(counts.values()) <= 201  # one faulty row on top
        assert 9_000 <= len(interactions) <= 14_000

    def test_some_items_are_new_and_nobody_has_touched_them(self, items, interactions):
        cold = {row["item_id"] for row in items if row["title"]}
        cold -= {row["item_id"] for row in interactions}
        last = max(row["timestamp"] for row in interactions if row["timestamp"] < "2026")
        assert 5 <= len(cold) <= 8
        assert all(row["published_at"] > last for row in items if row["item_id"] in cold)


class TestMedia:
    def test_at_least_twelve_recordings_decode_to_the_length_that_the_item_says(self, items):
        rows = {row["item_id"]: row for row in items}
        spoken = read_csv("spoken.tsv", delimiter="\t")
        assert len(spoken) >= 12
        for row in spoken:
            assert rows[row["item_id"]]["media"] == row["file"]
            with av.open(str(SAMPLE / row["file"])) as container:
                frames = list(container.decode(audio=0))
            seconds = sum(frame.samples for frame in frames) / frames[0].sample_rate
            assert 15 <= seconds <= 40
            assert seconds == pytest.approx(float(row["seconds"]), abs=0.3)

    def test_spoken_words_are_not_those_of_the_description(self, items):
        rows = {row["item_id"]: row for row in items}
        for row in read_csv("spoken.tsv", delimiter="\t"):
            assert row["text"] not in rows[row["item_id"]]["description"]

    def test_subtitles_come_in_both_formats_and_run_forward_in_time(self, items):
        paths = [SAMPLE / row["subtitles"] for row in items if row["subtitles"]]
        assert {path.suffix for path in paths} == {".vtt", ".srt"}
        assert len(paths) >= 7
        for path in paths:
            text = path.read_text("utf-8")
            assert text.startswith("WEBVTT" if path.suffix == ".vtt" else "1\n")
            clocks = re.findall(r"(\d\d:\d\d:\d\d)[.,](\d\d\d)", text)
            assert clocks == sorted(clocks)
            assert len(clocks) >= 10

    def test_no_file_lies_in_media_that_no_item_names(self, items):
        named = {row[key] for row in items for key in ("media", "subtitles")}
        present = {path.relative_to(SAMPLE).as_posix() for path in (SAMPLE / "media").iterdir()}
        assert present <= named


class TestInteractions:
    def test_bad_rows_are_those_of_the_list_of_faults(self, items, interactions, faults):
        known = {row["item_id"] for row in items}
        seen: set[tuple[str, ...]] = set()
        wrong = []
        for row in interactions:
            fields, value = tuple(row.values()), row["value"]
            is_good = (
                row["user_id"] != ""
                and row["item_id"] in known
                and row["event"] in EVENTS
                and is_time(row["timestamp"])
                and (row["event"] != "rating" or is_number(value, 1, 5))
                and (row["event"] != "view" or is_number(value, 0, 86_400))
                and fields not in seen
            )
            seen.add(fields)
            if not is_good:
                wrong.append(fields)
        listed = [tuple(one["row"]) for one in faults["interactions"] if "row" in one]
        copies = [fields for fields in wrong if fields not in listed]
        assert len(wrong) == len(faults["interactions"])
        assert [fields for fields in wrong if fields in listed] == listed
        assert len(copies) == 1

    def test_nobody_touches_an_item_before_it_is_published(self, items, interactions):
        published = {row["item_id"]: row["published_at"] for row in reversed(items)}
        for row in interactions:
            if row["item_id"] in published and is_time(row["timestamp"]):
                assert row["timestamp"] >= published[row["item_id"]]

    def test_nobody_watches_longer_than_an_item_lasts(self, items, interactions):
        lasts = {row["item_id"]: row["duration_s"] for row in reversed(items)}
        for row in interactions:
            if row["event"] == "view" and row["value"] != "inf":
                assert float(row["value"]) <= lasts[row["item_id"]]


class TestFaults:
    def test_items_and_media_name_what_the_list_says(self, items, faults):
        rows = {row["item_id"]: row for row in reversed(items)}
        assert all(one["row"] in items for one in faults["items"])
        assert len(items) == 150 + len(faults["items"])
        for one in faults["media"]:
            assert rows[one["item_id"]]["media"] == one["media"]

    def test_readme_lists_each_of_them(self, faults):
        readme = (SAMPLE / "README.md").read_text("utf-8")
        rows = re.findall(r"^\| F\d+ \| (.+?) \|", readme, flags=re.MULTILINE)
        assert rows == [one["fault"] for group in faults.values() for one in group]


def test_the_same_bytes_come_out_again(tmp_path):
    command = [sys.executable, "-B", str(SAMPLE / "generate.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    subtitles = [f"media/{p.name}" for p in (SAMPLE / "media").glob("*.[vs][tr]t")]
    assert subtitles
    for name in (*TABLES, *subtitles):
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes(), name
