from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.errors import ShapeError
from plmrec.histories import Catalogue, Histories, TrainingData
from tests.support.tastes import make_data, make_histories

# the mean is 0, so centring changes nothing
CROSS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [0, 0]], dtype=np.float32)


def fitted(vectors: np.ndarray, **options: float | None):
    ids = tuple(f"i{n}" for n in range(len(vectors)))
    data = TrainingData(
        catalogue=Catalogue(item_ids=ids, vectors=vectors),
        histories=Histories.empty((), len(vectors)),
        now=0.0,
    )
    model = build_backend("recommenders", "mean_history", options)
    model.fit(data)
    return model


def test_an_item_scores_the_cosine_with_the_mean_of_the_liked_ones():
    model = fitted(CROSS, decay_items=None)
    history = make_histories([[(0, 1.0, 1.0), (1, 1.0, 2.0)]], 5)
    half = math.sqrt(0.5)
    np.testing.assert_allclose(model.score(history), [[half, half, -half, -half, 0]], atol=1e-6)


def test_recent_likes_weigh_more():
    model = fitted(CROSS, decay_items=2.0)
    history = make_histories([[(0, 1.0, 1.0), (1, 1.0, 2.0)]], 5)
    old = math.exp(-1 / 2)
    length = math.hypot(old, 1.0)
    np.testing.assert_allclose(model.score(history)[0, :2], [old / length, 1 / length], atol=1e-6)


def test_a_share_of_what_was_disliked_is_taken_off():
    model = fitted(CROSS, decay_items=None, dislike_share=0.5)
    history = make_histories([[(0, 1.0, 1.0), (1, -1.0, 2.0)]], 5)
    length = math.hypot(1.0, 0.5)
    found = model.score(history)[0, :2]
    np.testing.assert_allclose(found, [1 / length, -0.5 / length], atol=1e-6)


def test_what_all_texts_share_says_nothing():
    vectors = np.array([[1, 0.1], [1, -0.1]], dtype=np.float32)
    model = fitted(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    np.testing.assert_allclose(model.score(make_histories([[(0, 1.0, 1.0)]], 2)), [[1, -1]])


def test_the_items_named_are_those_that_lie_nearest():
    data = make_data()
    model = build_backend("recommenders", "mean_history", {"decay_items": None})
    model.fit(data)
    history = make_histories([[(0, 1.0, 1.0), (4, 1.0, 2.0), (1, 1.0, 3.0)]], 40)
    (found,) = model.explain(history, 8)  # 0, 4 and 8 are of one group
    assert {place for place, _ in found.items[:2]} == {0, 4}
    assert found.value == pytest.approx(model.score(history)[0, 8])


def test_a_new_item_is_read_and_a_lost_encoder_leaves_the_others_as_they_were():
    data = make_data()
    old = data.catalogue
    model = build_backend("recommenders", "mean_history", {})
    model.fit(data)
    history = make_histories([[(0, 1.0, 1.0)]], 41)
    ids = (*old.item_ids, "twin")
    twin = Catalogue(item_ids=ids, vectors=np.concatenate([old.vectors, old.vectors[:1]]))
    scores = model.with_catalogue(old, twin).score(history)[0]
    assert scores[40] == pytest.approx(1.0)
    bare = model.with_catalogue(old, Catalogue(item_ids=ids)).score(history)[0]
    np.testing.assert_allclose(bare[:40], scores[:40], atol=1e-6)
    assert bare[40] == 0.0


def test_refuses_vectors_of_another_encoder():
    data = make_data()
    model = build_backend("recommenders", "mean_history", {})
    model.fit(data)
    other = dataclasses.replace(data.catalogue, vectors=np.ones((40, 3), dtype=np.float32))
    with pytest.raises(ShapeError, match="width 8"):
        model.with_catalogue(data.catalogue, other)
