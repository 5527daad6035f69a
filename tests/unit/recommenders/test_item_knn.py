from __future__ import annotations

import numpy as np

from plmrec.backends import build_backend
from tests.support.tastes import make_data

OPTIONS = {"shrinkage": 3.0, "n_neighbours": 4, "decay_items": None}


def brute_force(likes: np.ndarray) -> np.ndarray:
    n_items = likes.shape[1]
    similar = np.zeros((n_items, n_items))
    for i in range(n_items):
        for j in range(n_items):
            norms = np.linalg.norm(likes[:, i]) * np.linalg.norm(likes[:, j])
            if i != j and norms:
                similar[i, j] = likes[:, i] @ likes[:, j] / (norms + OPTIONS["shrinkage"])
    for j in range(n_items):  # the nearest of each candidate, the earlier item in a tie
        nearest = np.argsort(-similar[:, j], kind="stable")[: OPTIONS["n_neighbours"]]
        similar[~np.isin(np.arange(n_items), nearest), j] = 0.0
    return likes @ similar


def test_scores_are_those_of_a_plain_double_loop():
    data = make_data()
    model = build_backend("recommenders", "item_knn", OPTIONS)
    model.fit(data)
    likes = data.histories.positives().matrix().toarray().astype(np.float64)
    scores, expected = model.score(data.histories), brute_force(likes)
    # equal cosines may round apart in float32 and choose another neighbour of the same worth
    assert (np.abs(scores - expected) < 1e-4).mean() > 0.98
    best, wanted = scores.max(axis=1), expected.max(axis=1)
    np.testing.assert_allclose(best, wanted, atol=1e-4)
