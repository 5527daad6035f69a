from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.histories import Catalogue, TrainingData
from plmrec.recommenders import ease, ease_text
from tests.support.tastes import make_data, make_histories

GENRES = tuple((("drama",), ("drama", "war"), ("comedy",), ())[n % 4] for n in range(40))


def with_genres(data: TrainingData) -> TrainingData:
    return dataclasses.replace(data, catalogue=dataclasses.replace(data.catalogue, genres=GENRES))


def centred(vectors: np.ndarray) -> np.ndarray:
    moved = vectors - vectors.mean(axis=0)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def ridge_without_own_column(rows: np.ndarray, l2: float) -> np.ndarray:
    """Each column regressed on all others by least squares."""
    n_items = rows.shape[1]
    weights = np.zeros((n_items, n_items))
    for item in range(n_items):
        others = np.arange(n_items) != item
        left = np.vstack([rows[:, others], np.sqrt(l2) * np.eye(n_items - 1)])
        right = np.concatenate([rows[:, item], np.zeros(n_items - 1)])
        weights[others, item] = np.linalg.lstsq(left, right, rcond=None)[0]
    return weights


def test_weights_are_those_of_ridge_regressions_on_likes_with_features_stacked_below():
    data = with_genres(make_data())
    options = {"l2": 5.0, "text_weight": 4.0, "genre_weight": 9.0, "text_dims": 8}
    model = build_backend("recommenders", "ease_text", options | {"decay_items": None})
    model.fit(data)
    likes = data.histories.positives().matrix().toarray()
    genres = ease_text.genre_columns(GENRES, 40)
    stacked = np.vstack([likes, 2.0 * centred(data.catalogue.vectors).T, 3.0 * genres.T])
    expected = ridge_without_own_column(stacked, 5.0)
    assert model.model.places.tolist() == list(range(40))
    np.testing.assert_allclose(model.model.matrix, expected, atol=1e-5)


def test_without_features_it_is_ease():
    data = make_data()
    plain = build_backend("recommenders", "ease", {})
    model = build_backend("recommenders", "ease_text", {"text_weight": 0.0})
    for one in (plain, model):
        one.fit(data)
    np.testing.assert_allclose(
        model.score(data.histories), plain.score(data.histories), rtol=1e-5, atol=1e-7
    )


def test_an_item_nobody_liked_is_scored_by_its_text():
    data = make_data(n_cold=4)  # items 36 to 39, of groups 0 to 3
    model = build_backend("recommenders", "ease_text", {"l2": 5.0})
    model.fit(data)
    liked = [(item, 1.0, 1.0 + item) for item in (0, 4, 8)]  # of group 0
    scores = model.score(make_histories([liked], data.catalogue.n_items))[0]
    assert int(np.argmax(scores[36:])) == 0
    assert scores[36] > 0


def test_texts_from_all_directions_keep_their_cosines():
    catalogue = make_data().catalogue
    found, expected = ease_text.text_columns(catalogue, 8), centred(catalogue.vectors)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-5)
    assert ease_text.text_columns(catalogue, 3).shape == (40, 3)
    assert ease_text.text_columns(Catalogue(item_ids=("a", "b")), 3).shape == (2, 0)


def test_rare_genres_weigh_more():
    genres = (("drama", "war"), ("drama",), ("comedy",), ())
    drama, war = np.log(4 / 2), np.log(4)
    expected = np.array([[0, drama, war], [0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=float)
    expected[0] /= np.hypot(drama, war)
    np.testing.assert_allclose(ease_text.genre_columns(genres, 4), expected, rtol=1e-6)


def test_liked_items_come_before_others_when_there_are_too_many():
    data = make_data(n_cold=10)
    model = build_backend("recommenders", "ease_text", {"max_items": 32})
    model.fit(data)
    liked = np.unique(data.histories.positives().items)
    assert len(model.model.places) == 32
    assert set(liked.tolist()) <= set(model.model.places.tolist())


def test_a_large_catalogue_is_kept_sparse(monkeypatch: pytest.MonkeyPatch):
    data = make_data()
    dense = build_backend("recommenders", "ease_text", {})
    dense.fit(data)
    monkeypatch.setattr(ease, "DENSE_UP_TO", 10)
    sparse = build_backend("recommenders", "ease_text", {"keep": 12})
    sparse.fit(data)
    found = sparse.model.matrix.toarray()
    kept = found != 0
    assert (kept.sum(axis=0) == 12).all()
    np.testing.assert_allclose(found[kept], dense.model.matrix[kept], rtol=1e-2, atol=1e-6)
