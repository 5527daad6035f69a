"""Reads the hand-written catalogue and turns it into the rows of items.jsonl."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
RECORDINGS = HERE / "recordings.json"
SECONDS_A_WORD = 0.42
"""Reading speed of the subtitles that have no recording."""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the catalogue, with what the simulation needs to know about it."""

    item_id: str
    kind: str
    topic: str
    sub: str
    related: tuple[str, ...]
    published: datetime
    duration_s: float | None
    series: str | None
    creators: tuple[str, ...]
    language: str
    is_cold: bool
    cues: tuple[tuple[float, float, str], ...] = ()
    subtitles: str | None = None
    spoken: str | None = None
    media: str | None = None
    title: str = ""
    text: str = ""
    cast: tuple[str, ...] = ()
    comments: tuple[str, ...] = field(default=(), repr=False)


def load_items(rng: random.Random) -> list[Item]:
    """Read every topic file, in the order of the file names."""
    recordings = json.loads(RECORDINGS.read_text("utf-8")) if RECORDINGS.exists() else {}
    items = []
    for path in sorted((HERE / "catalogue").glob("*.yaml")):
        topic = yaml.safe_load(path.read_text("utf-8"))
        items += [_build_item(entry, topic, recordings, rng) for entry in topic["items"]]
    return items


def _build_item(
    entry: dict[str, Any], topic: dict[str, Any], recordings: dict[str, Any], rng: random.Random
) -> Item:
    item_id = entry["id"]
    at = timedelta(minutes=rng.randrange(6 * 60, 21 * 60))
    recording = recordings.get(item_id, {})
    if "spoken" in entry:
        cues = tuple((s["start_s"], s["end_s"], s["text"]) for s in recording.get("segments", ()))
    else:
        cues = _time_cues(entry.get("cues", ()))
    duration_s = recording.get("duration_s")
    if duration_s is None and "length" in entry:
        minutes, seconds = entry["length"].split(":")
        duration_s = float(minutes) * 60 + float(seconds)
    if duration_s is None and cues:
        duration_s = float(round(cues[-1][1] + 3))
    suffix = entry.get("subtitles")
    return Item(
        item_id=item_id,
        kind=entry["kind"],
        topic=topic["topic"],
        sub=entry["sub"],
        related=tuple(topic["related"]),
        published=datetime.combine(entry["published"], time(tzinfo=timezone.utc)) + at,
        duration_s=duration_s,
        series=entry.get("series"),
        creators=tuple(entry["by"]),
        language=entry.get("language", "en"),
        is_cold=entry.get("cold", False),
        cues=cues if suffix else (),
        subtitles=f"media/{item_id}.{suffix}" if suffix else None,
        spoken=entry.get("spoken", "").strip() or None,
        media=recording.get("media"),
        title=entry["title"],
        text=entry["text"].strip(),
        cast=tuple(entry.get("cast", ())),
        comments=tuple(topic["comments"]),
    )


def _time_cues(lines: list[str] | tuple[()]) -> tuple[tuple[float, float, str], ...]:
    cues, start_s = [], 1.0
    for line in lines:
        end_s = start_s + 0.6 + SECONDS_A_WORD * len(line.split())
        cues.append((round(start_s, 2), round(end_s, 2), line))
        start_s = end_s + 0.4
    return tuple(cues)


def build_row(item: Item) -> dict[str, Any]:
    """Return the item as a row of items.jsonl."""
    row: dict[str, Any] = {
        "item_id": item.item_id,
        "kind": item.kind,
        "title": item.title,
        "description": item.text,
        "genres": [item.topic, item.sub],
        "creators": list(item.creators),
        "cast": list(item.cast),
        "language": item.language,
        "published_at": format_time(item.published),
        "duration_s": item.duration_s,
        "media": item.media,
        "subtitles": item.subtitles,
    }
    if item.series:
        row["series"] = item.series
    return row


def format_subtitles(item: Item) -> str:
    """Write the cues as WebVTT or SubRip, by the suffix of the subtitles path."""
    vtt = str(item.subtitles).endswith(".vtt")
    blocks = ["WEBVTT"] if vtt else []
    for number, (start_s, end_s, text) in enumerate(item.cues, 1):
        span = f"{_clock(start_s, '.' if vtt else ',')} --> {_clock(end_s, '.' if vtt else ',')}"
        blocks.append(f"{span}\n{text}" if vtt else f"{number}\n{span}\n{text}")
    return "\n\n".join(blocks) + "\n"


def _clock(seconds: float, point: str) -> str:
    whole, milli = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{point}{milli:03d}"


def format_time(moment: datetime) -> str:
    """Return the moment as ISO 8601 in UTC, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
