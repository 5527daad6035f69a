from __future__ import annotations

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.recommenders import ease
from tests.support.tastes import make_data, make_histories


def ridge_without_own_column(likes: np.ndarray, l2: float) -> np.ndarray:
    """Each column regressed on all others by least squares: what EASE solves in closed form."""
    n_items = likes.shape[1]
    weights = np.zeros((n_items, n_items))
    for item in range(n_items):
        others = np.arange(n_items) != item
        left = np.vstack([likes[:, others], np.sqrt(l2) * np.eye(n_items - 1)])
        right = np.concatenate([likes[:, item], np.zeros(n_items - 1)])
        weights[others, item] = np.linalg.lstsq(left, right, rcond=None)[0]
    return weights


def test_weights_are_those_of_ridge_regressions_with_a_diagonal_of_zeros():
    likes = (np.random.default_rng(1).random((30, 8)) < 0.4).astype(np.float64)
    found = ease.solve_ease(likes.T @ likes, 5.0)
    np.testing.assert_allclose(found, ridge_without_own_column(likes, 5.0), atol=1e-9)


def test_scores_are_the_history_times_the_weights():
    data = make_data()
    model = build_backend("recommenders", "ease", {"l2": 20.0, "decay_items": None})
    model.fit(data)
    likes = data.histories.positives().matrix().toarray().astype(np.float64)
    known = likes.sum(axis=0) > 0
    expected = np.zeros_like(likes)
    weights = ridge_without_own_column(likes[:, known], 20.0)
    expected[:, known] = likes[:, known] @ weights
    np.testing.assert_allclose(model.score(data.histories), expected, atol=1e-4)


def test_recent_likes_weigh_more():
    data = make_data()
    model = build_backend("recommenders", "ease", {"l2": 20.0, "decay_items": 2.0})
    model.fit(data)
    matrix = model.model.matrix
    place = {int(item): row for row, item in enumerate(model.model.places)}
    history = make_histories([[(0, 1.0, 1.0), (4, 1.0, 2.0)]], data.catalogue.n_items)
    expected = np.exp(-1 / 2) * matrix[place[0]] + matrix[place[4]]
    np.testing.assert_allclose(
        model.score(history)[0, model.model.places], expected, rtol=1e-5, atol=1e-6
    )


def test_undated_likes_all_weigh_the_same():
    data = make_data(dated=False)
    scores = []
    for decay in (2.0, None):
        model = build_backend("recommenders", "ease", {"decay_items": decay})
        model.fit(data)
        scores.append(model.score(data.histories))
    np.testing.assert_array_equal(*scores)


def test_reading_all_that_was_seen_learns_from_dislikes_too():
    rows = [[(0, 1.0, 1.0), (1, -1.0, 2.0)]] * 10 + [[(2, 1.0, 1.0)]] * 10
    data = make_data()
    histories = make_histories(rows, data.catalogue.n_items)
    for reads, learnt in (("liked", False), ("seen", True)):
        model = build_backend("recommenders", "ease", {"reads": reads, "l2": 1.0})
        model.fit(data.with_histories(histories))
        asked = make_histories([[(0, 1.0, 1.0)]], data.catalogue.n_items)
        assert bool(model.score(asked)[0, 1] > 0.1) is learnt


def test_only_the_most_liked_items_are_kept_when_there_are_too_many():
    data = make_data()
    model = build_backend("recommenders", "ease", {"max_items": 5})
    model.fit(data)
    counts = np.bincount(data.histories.positives().items, minlength=data.catalogue.n_items)
    assert len(model.model.places) == 5
    assert counts[model.model.places].min() >= np.sort(counts)[-5]


def test_a_large_catalogue_is_kept_sparse(monkeypatch: pytest.MonkeyPatch):
    data = make_data()
    dense = build_backend("recommenders", "ease", {})
    dense.fit(data)
    monkeypatch.setattr(ease, "DENSE_UP_TO", 10)
    sparse = build_backend("recommenders", "ease", {"keep": 12})
    sparse.fit(data)
    found = sparse.model.matrix.toarray()
    assert ((found != 0).sum(axis=0) <= 12).all()
    kept = found != 0
    np.testing.assert_allclose(found[kept], dense.model.matrix[kept], rtol=1e-3, atol=1e-6)
    strongest = np.sort(np.abs(dense.model.matrix), axis=0)[-12]
    assert (np.abs(found).max(axis=0) >= strongest).all()
