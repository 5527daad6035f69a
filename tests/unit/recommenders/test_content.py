from __future__ import annotations

import numpy as np

from plmrec.backends import build_backend
from plmrec.histories import Catalogue, TrainingData
from plmrec.recommenders.content import centre, nearest_texts
from tests.support.tastes import make_data, make_histories


def test_centring_removes_what_all_texts_share_and_leaves_empty_ones_empty():
    vectors = np.array([[1, 0.1], [1, -0.1], [0, 0]], dtype=np.float32)
    np.testing.assert_allclose(centre(vectors), [[0, 1], [0, -1], [0, 0]], atol=1e-6)


def test_scores_are_sums_of_centred_cosines():
    data = make_data()
    model = build_backend("recommenders", "content", {"n_neighbours": 99, "decay_items": None})
    model.fit(data)
    vectors = centre(data.catalogue.vectors)
    cosines = np.maximum(vectors @ vectors.T, 0.0)
    np.fill_diagonal(cosines, 0.0)
    likes = data.histories.positives().matrix().toarray()
    np.testing.assert_allclose(model.score(data.histories), likes @ cosines, atol=1e-4)


def test_neighbours_are_the_nearest_of_those_allowed():
    vectors = np.random.default_rng(4).normal(size=(12, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    allowed = np.arange(0, 12, 2)
    found = nearest_texts(
        vectors, queries=np.array([1, 2]), among=allowed, n_neighbours=2, n_items=12
    ).toarray()
    cosines = centre(vectors) @ centre(vectors).T
    for column, query in enumerate((1, 2)):
        others = allowed[allowed != query]
        best = others[np.argsort(-cosines[query, others])[:2]]
        wanted = {int(item) for item in best if cosines[query, item] > 0}
        assert set(np.flatnonzero(found[:, column]).tolist()) == wanted


def test_an_item_new_since_training_is_scored_by_its_text():
    data = make_data()
    old, vectors = data.catalogue, data.catalogue.vectors
    twin = Catalogue(
        item_ids=(*old.item_ids, "twin"), vectors=np.concatenate([vectors, vectors[:1]])
    )
    model = build_backend("recommenders", "content", {})
    model.fit(data)
    history = make_histories([[(0, 1.0, 1.0)]], twin.n_items)
    scores = model.with_catalogue(old, twin).score(history)[0]
    assert int(np.argmax(scores)) == old.n_items


def test_without_vectors_nothing_is_near():
    data = make_data()
    bare = TrainingData(
        catalogue=Catalogue(item_ids=data.catalogue.item_ids),
        histories=data.histories,
        now=data.now,
    )
    model = build_backend("recommenders", "content", {})
    model.fit(bare)
    assert not model.score(data.histories).any()
