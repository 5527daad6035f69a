from __future__ import annotations

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.histories import Catalogue, TrainingData
from tests.support.tastes import make_histories

ROWS = [
    [(0, 1.0, 1.0), (1, 1.0, 2.0), (2, 1.0, 3.0)],
    [(0, 1.0, 1.0), (1, 1.0, 2.0)],
    [(2, 1.0, 1.0), (0, 1.0, 2.0)],
]
DATA = TrainingData(
    catalogue=Catalogue(item_ids=("a", "b", "c", "d")), histories=make_histories(ROWS, 4), now=3.0
)


def test_counts_steps_ahead_by_hand():
    options = {"window": 2, "shrinkage": 1.0, "last_items": 1}
    model = build_backend("recommenders", "markov", options)
    model.fit(DATA)
    scores = model.score(make_histories([[(0, 1.0, 5.0)]], 4))[0]
    # after a: b twice at step 1 (1 + 1), c once at step 2 (1/2); total 2.5, doubted by 1
    np.testing.assert_allclose(scores, [0.0, 2.0 / 3.5, 0.5 / 3.5, 0.0], rtol=1e-6)


def test_looks_at_the_last_items_only_and_at_the_very_last_most():
    options = {"window": 1, "shrinkage": 0.0, "last_items": 2, "decay_items": 1.0}
    model = build_backend("recommenders", "markov", options)
    model.fit(DATA)
    history = make_histories([[(1, 1.0, 1.0), (0, 1.0, 2.0), (2, 1.0, 3.0)]], 4)
    # c is followed by a (1/1), a by b (2/2) one place back; b, two places back, is not looked at
    np.testing.assert_allclose(model.score(history)[0], [1.0, np.exp(-1), 0.0, 0.0], rtol=1e-6)


def test_users_without_times_teach_no_order():
    rows = [[(item, weight, np.nan) for item, weight, _ in row] for row in ROWS]
    model = build_backend("recommenders", "markov", {})
    model.fit(DATA.with_histories(make_histories(rows, 4)))
    assert model.score(DATA.histories).max() == pytest.approx(0.0)
