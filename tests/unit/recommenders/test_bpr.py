from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from plmrec.backends import build_backend
from plmrec.histories import Catalogue
from tests.support.tastes import make_data, make_histories

OPTIONS = {"factors": 5, "fold_l2": 0.7, "decay_items": None}


def test_folding_a_history_in_minimises_the_squared_loss_over_all_pairs():
    data = make_data()
    model = build_backend("recommenders", "bpr", OPTIONS)
    model.fit(data)
    q, b = model.factors.astype(np.float64), model.biases.astype(np.float64)
    liked = [0, 4, 9]

    def loss(user: np.ndarray) -> float:
        scores = q @ user + b
        pairs = [np.mean((1.0 - (scores[i] - scores)) ** 2) for i in liked]
        return float(np.sum(pairs) + OPTIONS["fold_l2"] * user @ user)

    expected = q @ minimize(loss, np.zeros(5), tol=1e-12).x + b
    places = model.places[liked]
    history = make_histories([[(int(i), 1.0, 1.0 + i) for i in places]], data.catalogue.n_items)
    np.testing.assert_allclose(model.score(history)[0, model.places], expected, atol=1e-3)


def test_what_a_user_liked_scores_above_what_they_did_not_meet():
    data = make_data()
    model = build_backend("recommenders", "bpr", OPTIONS)
    model.fit(data)
    scores, liked = model.score(data.histories), data.histories.positives().seen()
    unmet = ~data.histories.seen()
    unmet[:, np.setdiff1d(np.arange(data.catalogue.n_items), model.places)] = False
    above = [
        np.mean(row[mine][:, None] > row[others])
        for row, mine, others in zip(scores, liked, unmet, strict=True)
    ]
    assert np.mean(above) > 0.9


def test_a_user_of_whom_nothing_is_known_gets_the_biases():
    data = make_data()
    model = build_backend("recommenders", "bpr", OPTIONS)
    model.fit(data)
    scores = model.score(make_histories([[]], data.catalogue.n_items))[0]
    np.testing.assert_allclose(scores[model.places], model.biases)


def test_items_it_does_not_know_stand_lowest():
    data = make_data(n_cold=3)
    model = build_backend("recommenders", "bpr", OPTIONS)
    model.fit(data)
    old = data.catalogue
    new = Catalogue(item_ids=(*old.item_ids, "new"))
    moved = model.with_catalogue(old, new)
    scores = moved.score(make_histories([[(0, 1.0, 1.0)]], new.n_items))[0]
    np.testing.assert_array_equal(scores[-4:], scores.min())


def test_the_items_named_add_what_they_say_to_the_score():
    data = make_data()
    model = build_backend("recommenders", "bpr", OPTIONS)
    model.fit(data)
    first = int(model.places[0])
    history = make_histories([[(first, 1.0, 1.0)]], data.catalogue.n_items)
    scores = model.score(history)[0]
    item = int(model.places[np.argmax(scores[model.places] - model.biases)])
    (found,) = model.explain(history, item)
    np.testing.assert_allclose(found.value, scores[item], rtol=1e-5)
    ((place, added),) = found.items
    assert place == first
    bias = model.biases[model.places == item][0]
    np.testing.assert_allclose(added, scores[item] - bias, atol=1e-4)
