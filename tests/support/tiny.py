"""A dataset small enough for a test of the whole chain: three topics, users with tastes, speech."""

from __future__ import annotations

import csv
import json
import math
import random
import struct
import wave
from datetime import datetime, timedelta, timezone
from pathlib import Path

TOPICS = {
    "whales": "whale ocean song blue deep water swim breath surface calf",
    "bread": "bread flour oven dough yeast crust knead bake rye salt",
    "chess": "chess king queen pawn board opening endgame rook knight clock",
}
START = datetime(2026, 1, 1, tzinfo=timezone.utc)

# Backends without weights and parts that are fitted at once, so that the chain runs in seconds.
WEIGHTLESS_PARAMS = """\
shards: 2
speech:
  backend: scripted
encoder:
  backend: hashing
training:
  trials: 3
  options:
    parts:
      popularity: {backend: popularity}
      recent_popularity: {backend: recent_popularity}
      ease: {backend: ease, options: {reads: seen}}
      markov: {backend: markov}
      carried: {backend: carried}
      content: {backend: content}
"""


def write_tiny_dataset(
    folder: Path, *, n_items: int = 30, n_users: int = 40, seed: int = 3
) -> Path:
    """Write a dataset folder; the same arguments give the same bytes.

    Args:
        folder: Created when it is not there.
        n_items: Spread evenly over three topics; every tenth has a tone as media.
        n_users: Each likes one topic, and strays one time in five.
        seed: Of all choices.
    """
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    names = list(TOPICS)
    with (folder / "items.jsonl").open("w") as file:
        for number in range(n_items):
            topic = names[number % 3]
            item = {
                "item_id": f"i{number}",
                "kind": "video",
                "title": f"{topic.title()} {number}",
                "description": " ".join(rng.choices(TOPICS[topic].split(), k=20)),
                "genres": [topic],
                "creators": [f"creator {number % 5}"],
                "published_at": START.isoformat(),
                "duration_s": 60,
                "media": f"media/i{number}.wav" if number % 10 == 0 else None,
            }
            file.write(json.dumps(item) + "\n")
            if item["media"]:
                write_tone(folder / str(item["media"]), seconds=1.0 + number / 10)
    with (folder / "interactions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "item_id", "event", "value", "timestamp"])
        for user in range(n_users):
            likes_topic = user % 3
            pool = [n for n in range(n_items) if n % 3 == likes_topic]
            rest = [n for n in range(n_items) if n % 3 != likes_topic]
            chosen = rng.sample(pool, k=min(6, len(pool))) + rng.sample(rest, k=2)
            rng.shuffle(chosen)
            for step, number in enumerate(chosen):
                time = START + timedelta(days=user % 30 + step, minutes=user)
                liked = number % 3 == likes_topic
                writer.writerow(
                    [f"u{user}", f"i{number}", "rating", 5 if liked else 2, time.isoformat()]
                )
    return folder


def write_tone(path: Path, *, seconds: float, rate_hz: int = 16_000) -> Path:
    """Write a 440 Hz tone as a 16-bit mono wav file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        wave_s = (
            int(9000 * math.sin(2 * math.pi * 440 * n / rate_hz))
            for n in range(int(seconds * rate_hz))
        )
        file.writeframes(b"".join(struct.pack("<h", value) for value in wave_s))
    return path
