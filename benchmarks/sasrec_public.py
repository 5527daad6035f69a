"""SASRec by id as public figures judge it: each rating an interaction, the last one held out.

Of each user the last interaction is the target and the one before it is not learnt from, but told;
the whole catalogue is ranked, with the user's history left in (as RecBole ranks for sequential
models) and left out. Interactions of one second come in a drawn order. Public figures on
MovieLens 100K: UniRec, validation, NDCG@10 0.0727 and recall@10 0.1289
(recommenders-team/recommenders on GitHub, issue 2111; whether the history was left in is not
said).

    python benchmarks/sasrec_public.py DATASET [--seed 0]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from plmrec.backends import build_backend
from plmrec.histories import Catalogue, Histories, TrainingData


def read(dataset: Path, seed: int) -> tuple[Catalogue, Histories]:
    """Every rating as a like."""
    rows = pd.read_csv(dataset / "interactions.csv", parse_dates=["timestamp"])
    users, user_ids = pd.factorize(rows["user_id"])
    items, item_ids = pd.factorize(rows["item_id"])
    times = rows["timestamp"].map(pd.Timestamp.timestamp).to_numpy()
    drawn = np.random.default_rng(seed).random(len(rows)) * 0.9
    histories = Histories.build(
        user_ids=[str(user) for user in user_ids],
        n_items=len(item_ids),
        users=users.astype(np.int64),
        items=items.astype(np.int64),
        weights=np.ones(len(rows)),
        times=times + drawn,
    )
    return Catalogue(item_ids=tuple(str(item) for item in item_ids)), histories


def main() -> None:
    """Fit, rank, and print both readings of the protocol."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    catalogue, histories = read(arguments.dataset, arguments.seed)
    ranks = histories.ranks_from_end()
    told, targets = histories.keep(ranks >= 1), histories.keep(ranks == 0).items
    model = build_backend("recommenders", "sasrec", {"items": "id", "seed": arguments.seed})
    now = float(histories.times.max())
    model.fit(TrainingData(catalogue=catalogue, histories=histories.keep(ranks >= 2), now=now))
    print("history   ndcg@10  recall@10")
    for name in ("left in", "left out"):
        scores = model.score(told)
        if name == "left out":
            scores[told.seen()] = -np.inf
        rank = (scores > scores[np.arange(len(scores)), targets][:, None]).sum(axis=1)
        ndcg = np.where(rank < 10, 1 / np.log2(rank + 2), 0).mean()
        print(f"{name:<9} {ndcg:.4f}   {(rank < 10).mean():.4f}")


if __name__ == "__main__":
    main()
