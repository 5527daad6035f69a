"""Last-one-out by time, from outside: hold out, run the chain, ask for all lists, score them.

Each user's last like (rating >= 4) is taken out; ``plmrec run`` learns from the rest;
``plmrec recommend --all`` answers; the list leaves out everything the user had rated. NDCG@10 and
recall are computed here, from the file, with no code of plmrec.

    python benchmarks/last_one_out.py DATASET [--strict]

With ``--strict`` a user's events after the held-out like are taken out as well.
"""

from __future__ import annotations

import argparse
import csv
import math
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

K = 20


def hold_out(source: Path, target: Path, *, strict: bool) -> dict[str, str]:
    """Copy a dataset without each user's last like; returns user to held-out item."""
    shutil.copytree(source, target)
    with (source / "interactions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    last: dict[str, dict[str, str]] = {}
    for row in rows:
        liked = row["event"] == "rating" and float(row["value"]) >= 4
        if liked and row["timestamp"] >= last.get(row["user_id"], row)["timestamp"]:
            last[row["user_id"]] = row

    def stays(row: dict[str, str]) -> bool:
        held = last.get(row["user_id"])
        if held is None:
            return True
        return row is not held and not (strict and row["timestamp"] > held["timestamp"])

    with (target / "interactions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(row for row in rows if stays(row))
    return {user: row["item_id"] for user, row in last.items()}


def score(lists: Path, held: dict[str, str]) -> dict[str, float]:
    """Mean NDCG@10, recall@10 and recall@20 over the users with a held-out like."""
    ranks: dict[str, int] = {}
    with lists.open(newline="") as file:
        for row in csv.DictReader(file):
            if held.get(row["user_id"]) == row["item_id"]:
                ranks[row["user_id"]] = int(row["rank"])
    found = ranks.values()
    n = len(held)
    return {
        "users": n,
        "ndcg@10": sum(1 / math.log2(rank + 1) for rank in found if rank <= 10) / n,
        "recall@10": sum(rank <= 10 for rank in found) / n,
        "recall@20": sum(rank <= 20 for rank in found) / n,
    }


def main() -> None:
    """Run the benchmark and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--strict", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plmrec-last-") as folder:
        root = Path(folder)
        held = hold_out(arguments.dataset, root / "dataset", strict=arguments.strict)
        plmrec = [sys.executable, "-m", "plmrec", "--workspace", str(root / "workspace")]
        started = time.monotonic()
        subprocess.run([*plmrec, "run", "--dataset", str(root / "dataset")], check=True)
        ran_s = time.monotonic() - started
        lists = root / "lists.csv"
        started = time.monotonic()
        command = [*plmrec, "recommend", "--all", "--k", str(K), "--output", str(lists)]
        subprocess.run(command, check=True)
        result = score(lists, held) | {"run_s": ran_s, "lists_s": time.monotonic() - started}
    print("  ".join(result))
    print("  ".join(f"{value:.4g}".ljust(len(name)) for name, value in result.items()))


if __name__ == "__main__":
    main()
