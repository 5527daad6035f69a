from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from plmrec.histories import Catalogue, TrainingData
from plmrec.params import FeedbackParams, Params
from plmrec.splits import Split
from plmrec.stages.evaluate import judge
from plmrec.stages.train import train_recommender
from plmrec.stages.training_data import shard_histories

pytestmark = [pytest.mark.realdata, pytest.mark.slow]


@pytest.fixture(scope="module")
def films(shared_data: Path) -> TrainingData:
    """Ratings of MovieLens 100K; without texts, which would need an encoder."""
    strings = pyarrow.csv.ConvertOptions(
        column_types={"user_id": pa.string(), "item_id": pa.string(), "value": pa.float64()}
    )
    rows = pyarrow.csv.read_csv(
        shared_data / "ml100k" / "interactions.csv", convert_options=strings
    )
    ids = sorted(rows.column("item_id").unique().to_pylist())
    catalogue = Catalogue(item_ids=tuple(ids))
    histories = shard_histories(rows, pa.array(ids), catalogue, FeedbackParams())
    return TrainingData(
        catalogue=catalogue, histories=histories, now=float(np.nanmax(histories.times))
    )


def test_each_users_last_like_is_found_again_far_above_the_classics(films: TrainingData):
    everything = films.histories
    liked = np.flatnonzero(everything.is_positive)
    is_last = np.append(np.diff(everything.users[liked]) > 0, True)
    held = np.zeros(len(everything.items), dtype=bool)
    held[liked[is_last]] = True
    rest = everything.keep(~held)  # all other ratings, liked or not, are known and left out
    split = Split(kind="random", train=rest, heldout=everything.keep(held), excluded=rest)
    assert split.n_judged == 942
    params = Params.model_validate({"training": {"trials": 4, "windows": 0}})  # for time's sake
    result = train_recommender(films.with_histories(rest), params)
    rows = np.flatnonzero(np.diff(split.heldout.indptr))
    metrics = judge(result.recommender, split, rows, 10).means()
    assert metrics["ndcg@10"] >= 0.13  # EASE^R, tuned, has 0.107
    assert metrics["coverage@10"] >= 0.2
    print({name: round(value, 4) for name, value in metrics.items()})  # noqa: T201
