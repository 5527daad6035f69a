from __future__ import annotations

import math

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.histories import Catalogue, Histories, TrainingData
from tests.support.tastes import make_data, make_histories

# the mean is 0, so centring changes nothing
CROSS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=np.float32)
GENRES = (("war",), ("comedy",), ("drama",), ("comedy", "drama"))
PLAIN = {"decay_items": None, "dislike_weight": 0.5, "threshold": -1.0}


def fitted(catalogue: Catalogue, **options: object):
    model = build_backend("recommenders", "interest_profile", PLAIN | options)
    nobody = Histories.empty((), catalogue.n_items)
    model.fit(TrainingData(catalogue=catalogue, histories=nobody, now=0.0))
    return model


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(item_ids=("a", "b", "c", "d"), vectors=CROSS, genres=GENRES)


def test_interests_are_signed_shares_of_the_history(catalogue: Catalogue):
    model = fitted(catalogue)
    history = make_histories([[(0, 1.0, 1.0), (3, 1.0, 2.0), (2, -1.0, 3.0)]], 4)
    # weights 1, 1 and -0.5 of 2.5; item 3 is half comedy, half drama
    assert model.tags.names == ("comedy", "drama", "war")
    np.testing.assert_allclose(model.profile(history), [[0.2, 0.0, 0.4]], atol=1e-6)


def test_recent_items_weigh_more(catalogue: Catalogue):
    model = fitted(catalogue, decay_items=2.0)
    history = make_histories([[(0, 1.0, 1.0), (1, 1.0, 2.0)]], 4)
    old = math.exp(-1 / 2)
    expected = [[1 / (1 + old), 0.0, old / (1 + old)]]
    np.testing.assert_allclose(model.profile(history), expected, atol=1e-6)


def test_an_items_score_is_the_cosine_with_the_weighted_sum_of_tag_vectors(catalogue: Catalogue):
    model = fitted(catalogue)
    history = make_histories([[(0, 1.0, 1.0), (1, -1.0, 2.0)]], 4)
    # war lies at (1, 0); items b and d are comedies, whose vectors cancel out: no direction
    np.testing.assert_allclose(model.score(history), [[1, 0, -1, 0]], atol=1e-6)


def test_items_below_the_threshold_stand_lowest(catalogue: Catalogue):
    model = fitted(catalogue, threshold=0.5)
    history = make_histories([[(0, 1.0, 1.0)], []], 4)
    np.testing.assert_allclose(model.score(history), [[1, -1, -1, -1], [0, 0, 0, 0]], atol=1e-6)


def test_without_genres_the_clusters_of_texts_are_the_tags():
    data = make_data()  # items of four groups, each around its own centre
    model = build_backend("recommenders", "interest_profile", {"clusters": 4})
    model.fit(data)
    labels = model.tags.carried.indices
    assert model.tags.names == ("cluster 0", "cluster 1", "cluster 2", "cluster 3")
    assert {tuple(labels[group::4].tolist()) for group in range(4)} == {(n,) * 10 for n in range(4)}


def test_clusters_can_be_asked_for_where_there_are_genres(catalogue: Catalogue):
    assert fitted(catalogue, tags="clusters", clusters=2).tags.names == ("cluster 0", "cluster 1")


def test_names_the_items_of_the_strongest_tags(catalogue: Catalogue):
    model = fitted(catalogue)
    history = make_histories([[(0, 1.0, 1.0), (2, 1.0, 2.0), (1, 1.0, 3.0)]], 4)
    (found,) = model.explain(history, 0)
    assert [place for place, _ in found.items] == [0]
    assert found.value == pytest.approx(model.score(history)[0, 0])


def test_a_new_item_carries_its_genres_or_else_the_nearest_tag(catalogue: Catalogue):
    new = Catalogue(
        item_ids=("e", "f", "c", "a", "g"),
        vectors=np.array([[0, 1], [1, 0], [-1, 0], [1, 0], [0, 0]], dtype=np.float32),
        genres=(("comedy", "musical"), (), ("drama",), ("war",), ()),
    )
    moved = fitted(catalogue).with_catalogue(catalogue, new)
    expected = [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1], [0, 0, 0]]  # comedy, drama, war
    np.testing.assert_allclose(moved.tags.carried.toarray(), expected)
    history = make_histories([[(1, 1.0, 1.0)]], 5)
    np.testing.assert_allclose(moved.score(history)[0, 3], 1.0, atol=1e-6)
