from __future__ import annotations

import numpy as np

from plmrec.backends import build_backend
from tests.support.tastes import make_data

OPTIONS = {"factors": 6, "l2": 2.0, "alpha": 5.0, "decay_items": None}


def test_folding_a_history_in_solves_the_users_normal_equations():
    data = make_data()
    model = build_backend("recommenders", "als", OPTIONS)
    model.fit(data)
    factors, places = model.factors.astype(np.float64), model.places
    likes = data.histories.positives().matrix().toarray()[:, places]
    for user in (0, 17):
        confidence = 1.0 + OPTIONS["alpha"] * likes[user]
        left = factors.T @ np.diag(confidence) @ factors + OPTIONS["l2"] * np.eye(6)
        right = factors.T @ (confidence * likes[user])
        expected = factors @ np.linalg.solve(left, right)
        found = model.score(data.histories.block(user, user + 1))[0, places]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_liked_items_score_far_above_the_others():
    data = make_data()
    model = build_backend("recommenders", "als", OPTIONS | {"iterations": 40})
    model.fit(data)
    scores = model.score(data.histories)
    liked = data.histories.positives()
    others = np.setdiff1d(np.arange(scores.size), liked.users * scores.shape[1] + liked.items)
    assert scores[liked.users, liked.items].mean() > 3 * scores.ravel()[others].mean()


def test_explanations_add_up_to_the_score():
    data = make_data()
    model = build_backend("recommenders", "als", OPTIONS)
    model.fit(data)
    history = data.histories.block(4, 5)
    scores = model.score(history)[0]
    item = int(np.argmax(np.where(history.seen()[0], -np.inf, scores)))
    (found,) = model.explain(history, item)
    np.testing.assert_allclose(found.value, scores[item], atol=1e-4)
