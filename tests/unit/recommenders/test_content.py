from __future__ import annotations

import numpy as np

from plmrec.backends import build_backend
from plmrec.histories import Catalogue, TrainingData
from tests.support.tastes import make_data, make_histories


def test_scores_are_sums_over_the_likes_of_how_alike_the_item_is():
    data = make_data()
    model = build_backend("recommenders", "content", {"n_neighbours": 99, "decay_items": None})
    model.fit(data)
    places = np.arange(data.catalogue.n_items)
    alike = model.likeness.nearest(
        data.catalogue, queries=places, among=places, n_neighbours=99
    ).toarray()
    likes = data.histories.positives().matrix().toarray()
    np.testing.assert_allclose(model.score(data.histories), likes @ alike, rtol=1e-4, atol=1e-6)


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


def test_of_items_of_which_nothing_is_known_none_is_alike():
    data = make_data()
    bare = TrainingData(
        catalogue=Catalogue(item_ids=data.catalogue.item_ids),
        histories=data.histories,
        now=data.now,
    )
    model = build_backend("recommenders", "content", {})
    model.fit(bare)
    assert not model.score(data.histories).any()
