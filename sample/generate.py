"""Builds the sample dataset from the catalogue: `python sample/generate.py [--audio]`.

The same bytes come out on every run. `--audio` also records the media again, which needs the
flite synthesiser; without it the recordings that are there are left alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from pathlib import Path
from typing import Any

import yaml
from read_catalogue import HERE, Item, build_row, format_subtitles, format_time, load_items
from simulate import Event, Viewer, draw_viewers, simulate

SEED = 20250101
USER_COLUMNS = ("user_id", "age_group", "country", "device", "language", "plan", "joined_at")
EVENT_COLUMNS = ("user_id", "item_id", "event", "value", "timestamp")


def main() -> None:
    """Parse the command line and write the dataset."""
    parser = argparse.ArgumentParser(description="Build the sample dataset.")
    parser.add_argument("--audio", action="store_true", help="record the media again (flite)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    options = parser.parse_args()
    (options.out / "media").mkdir(parents=True, exist_ok=True)
    if options.audio:
        from speak import record_all, record_faults

        record_all(load_items(random.Random(SEED)), options.out / "media")
        record_faults(options.out / "media")
    write_dataset(options.out)


def write_dataset(out: Path) -> None:
    """Write the tables and the subtitles into the folder."""
    items = load_items(random.Random(SEED))
    viewers = draw_viewers(items, random.Random(SEED + 1))
    events = simulate(items, viewers, random.Random(SEED + 2))
    faults = yaml.safe_load((HERE / "faults.yaml").read_text("utf-8"))
    write_items(out / "items.jsonl", items, faults)
    write_users(out / "users.csv", viewers)
    write_interactions(out / "interactions.csv", events, faults["interactions"])
    write_spoken(out / "spoken.tsv", items)
    for item in items:
        if item.subtitles:
            (out / item.subtitles).write_text(format_subtitles(item), "utf-8", newline="\n")
    print(f"{len(items)} items, {len(viewers)} users, {len(events)} interactions in {out}")


def write_items(path: Path, items: list[Item], faults: dict[str, Any]) -> None:
    """Write items.jsonl, the faulty rows among the good ones."""
    broken = {fault["item_id"]: fault["media"] for fault in faults["media"]}
    rows = [build_row(item) for item in items]
    for row in rows:
        row["media"] = broken.get(row["item_id"], row["media"])
    rows[80:80] = [fault["row"] for fault in faults["items"]]  # after the ids they repeat
    _write_jsonl(path, rows)


def write_users(path: Path, viewers: list[Viewer]) -> None:
    """Write users.csv: the attributes, never the tastes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(USER_COLUMNS)
        for one in viewers:
            attributes = one.age_group, one.country, one.device, one.language, one.plan
            writer.writerow((one.user_id, *attributes, format_time(one.joined)))


def write_interactions(path: Path, events: list[Event], faults: list[dict[str, Any]]) -> None:
    """Write interactions.csv in the order of time, the faulty rows spread over it."""
    rows = [(e.user_id, e.item_id, e.event, e.value, format_time(e.at)) for e in events]
    step = len(rows) // (len(faults) + 1)
    wrong = [f["row"] if "row" in f else rows[f["copy_of"]] for f in faults]
    for number, row in reversed(list(enumerate(wrong, 1))):
        rows.insert(step * number, tuple(row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(EVENT_COLUMNS)
        writer.writerows(rows)


def write_spoken(path: Path, items: list[Item]) -> None:
    """Write what is said in each recording: the reference for word error rates."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("file", "text", "seconds", "item_id"))
        for item in items:
            if item.spoken:
                words = " ".join(item.spoken.split())
                writer.writerow((item.media, words, item.duration_s, item.item_id))


def _write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    main()
