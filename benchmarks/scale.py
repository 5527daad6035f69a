"""How long the chain takes, and how much memory, on a synthetic dataset of a given shape.

Items have a title and nothing else; users keep to two topics, and to what is in fashion in them.
``plmrec run`` and ``plmrec recommend --all`` are then timed as separate processes.

    python benchmarks/scale.py [--users 50000 --items 20000 --interactions 360000]
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

TOPICS = 60
WORDS_PER_TOPIC = 40
DAYS = 120
SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in ("a", "e", "i", "o", "u", "an", "or")]


def write_items(target: Path, topics: np.ndarray, rng: np.random.Generator) -> None:
    """Write titles of three words of the item's topic and two of any."""
    words = ["".join(rng.choice(SYLLABLES, 3)) for _ in range(TOPICS * WORDS_PER_TOPIC)]
    with (target / "items.jsonl").open("w") as file:
        for item, topic in enumerate(topics):
            own = topic * WORDS_PER_TOPIC + rng.integers(0, WORDS_PER_TOPIC, 3)
            chosen = [*own, *rng.integers(0, len(words), 2)]
            title = " ".join(words[word] for word in chosen).capitalize()
            file.write(json.dumps({"item_id": f"v{item}", "kind": "video", "title": title}) + "\n")


def write_interactions(
    target: Path, topics: np.ndarray, *, n_users: int, n: int, rng: np.random.Generator
) -> None:
    """Write clicks: a user keeps to two topics, and to what is in fashion in them."""
    n_items = len(topics)
    appeal = 1.0 / np.arange(1, n_items + 1) ** 0.7
    rng.shuffle(appeal)
    born = rng.uniform(0, DAYS, n_items)
    by_topic = [np.flatnonzero(topics == topic) for topic in range(TOPICS)]
    counts = np.maximum(5, rng.poisson(rng.gamma(1.5, n / n_users / 1.5, n_users)))
    counts = np.maximum(3, (counts * n / counts.sum()).round().astype(int))
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    with (target / "interactions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "item_id", "event", "value", "timestamp"])
        for user, count in enumerate(counts):
            moment, likes, seen = rng.uniform(0, DAYS), rng.integers(0, TOPICS, 2), set()
            for _ in range(count):
                pool = (
                    by_topic[likes[rng.integers(2)]] if rng.random() < 0.8 else np.arange(n_items)
                )
                few = rng.choice(pool, 30)
                odds = appeal[few] * np.exp(-np.abs(moment - born[few]) / 20)
                item = int(few[rng.choice(30, p=odds / odds.sum())])
                moment = min(moment + rng.exponential(0.5), DAYS)
                if item not in seen:
                    seen.add(item)
                    when = (start + timedelta(days=moment)).isoformat(timespec="seconds")
                    writer.writerow([f"u{user}", f"v{item}", "click", "", when])


def timed(command: list[str]) -> float:
    """Run a command to its end; seconds."""
    started = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - started


def main() -> None:
    """Make the dataset, run the chain, ask for all lists, print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--interactions", type=int, default=360_000)
    parser.add_argument("--folder", type=Path, help="keep dataset and workspace here")
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory(prefix="plmrec-scale-") as temporary:
        root = arguments.folder or Path(temporary)
        dataset, lists = root / "dataset", root / "lists.parquet"
        if not dataset.exists():
            dataset.mkdir(parents=True)
            topics = rng.integers(0, TOPICS, arguments.items)
            write_items(dataset, topics, rng)
            shape = {"n_users": arguments.users, "n": arguments.interactions}
            write_interactions(dataset, topics, rng=rng, **shape)
        plmrec = [sys.executable, "-m", "plmrec", "--workspace", str(root / "workspace")]
        run_s = timed([*plmrec, "run", "--dataset", str(dataset)])
        lists_s = timed([*plmrec, "recommend", "--all", "--k", "20", "--output", str(lists)])
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print("run_s  lists_s  peak_gb")
    print(f"{run_s:<6.0f} {lists_s:<8.0f} {peak:.1f}")


if __name__ == "__main__":
    main()
