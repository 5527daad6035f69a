from __future__ import annotations

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.histories import Catalogue, Histories, TrainingData
from tests.support.tastes import make_histories

DAY = 86_400.0
ROWS = [
    [(0, 1.0, 0.0), (1, 1.0, 10 * DAY)],
    [(0, 1.0, 0.0), (2, -1.0, 10 * DAY)],
    [(0, 1.0, 5 * DAY)],
]
DATA = TrainingData(
    catalogue=Catalogue(item_ids=("a", "b", "c")), histories=make_histories(ROWS, 3), now=10 * DAY
)
NOBODY = Histories.empty(("u",), 3)


def test_popularity_counts_likes():
    model = build_backend("recommenders", "popularity", {})
    model.fit(DATA)
    np.testing.assert_allclose(np.expm1(model.score(NOBODY)[0]), [3.0, 1.0, 0.0], rtol=1e-6)


def test_recent_popularity_halves_a_like_every_half_life():
    model = build_backend("recommenders", "recent_popularity", {"half_life_days": 5.0})
    model.fit(DATA)
    # a: two likes 10 days ago, one 5 days ago: 2/4 + 1/2; b: one like now
    np.testing.assert_allclose(np.expm1(model.score(NOBODY)[0]), [1.0, 1.0, 0.0], rtol=1e-6)


def test_anchored_at_the_user_it_knows_nothing_after_the_users_last_day():
    options = {"half_life_days": 5.0, "anchor": "user"}
    model = build_backend("recommenders", "recent_popularity", options)
    model.fit(DATA)
    scores = np.expm1(model.score(DATA.histories))
    np.testing.assert_allclose(scores[2], [2 / 2 + 1, 0.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(scores[0], [1.0, 1.0, 0.0], rtol=1e-6)


def test_undated_likes_do_not_fade():
    rows = [[(item, weight, np.nan) for item, weight, _ in row] for row in ROWS]
    data = DATA.with_histories(make_histories(rows, 3))
    model = build_backend("recommenders", "recent_popularity", {})
    model.fit(data)
    assert np.expm1(model.score(NOBODY)[0]).tolist() == pytest.approx([3.0, 1.0, 0.0])
