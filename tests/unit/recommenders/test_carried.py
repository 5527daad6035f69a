from __future__ import annotations

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.errors import BackendUnavailableError
from plmrec.histories import Catalogue, TrainingData
from plmrec.recommenders._carry import Carry, liked_items
from plmrec.recommenders._likeness import Likeness
from tests.support.tastes import make_data, make_histories


@pytest.fixture
def data() -> TrainingData:
    return make_data(n_cold=4)  # items 36 to 39, of groups 0 to 3


def fitted(data: TrainingData, **options: object):
    model = build_backend("recommenders", "carried", options)
    model.fit(data)
    return model


def test_liked_items_keep_the_scores_of_the_other_recommender(data: TrainingData):
    inner = build_backend("recommenders", "ease", {"l2": 7.0})
    inner.fit(data)
    model = fitted(data, backend="ease", options={"l2": 7.0})
    liked = liked_items(data.histories)
    expected = inner.score(data.histories)[:, liked]
    np.testing.assert_array_equal(model.score(data.histories)[:, liked], expected)


def test_an_item_nobody_liked_is_given_the_mean_of_the_liked_items_like_it(data: TrainingData):
    model = fitted(data, neighbours=3, share=0.5)
    scores = model.score(data.histories)
    liked = np.flatnonzero(liked_items(data.histories))
    for item in range(36, 40):
        alike = model.likeness.nearest(
            data.catalogue, queries=np.array([item]), among=liked, n_neighbours=3
        ).toarray()[:, 0]
        assert np.count_nonzero(alike) == 3
        expected = 0.5 * scores @ (alike / alike.sum())
        np.testing.assert_allclose(scores[:, item], expected, atol=1e-5)


def test_a_user_of_one_taste_gets_the_new_item_of_that_taste(data: TrainingData):
    model = fitted(data, neighbours=5)
    history = make_histories([[(item, 1.0, 1.0 + item) for item in (1, 5, 9)]], 40)  # of group 1
    assert int(np.argmax(model.score(history)[0, 36:])) == 1


def test_a_new_item_is_explained_by_what_speaks_for_its_neighbours(data: TrainingData):
    model = fitted(data, backend="ease", neighbours=5)
    history = make_histories([[(item, 1.0, 1.0 + item) for item in (1, 5, 2)]], 40)
    (found,) = model.explain(history, 37)  # of group 1, like items 1 and 5
    assert {place for place, _ in found.items} >= {1, 5}
    assert {place for place, _ in found.items[:2]} == {1, 5}
    assert found.value == pytest.approx(model.score(history)[0, 37])


def test_an_item_that_came_after_training_is_scored_through_its_text(data: TrainingData):
    old = data.catalogue
    twin = Catalogue(
        item_ids=(*old.item_ids, "twin"), vectors=np.concatenate([old.vectors, old.vectors[36:37]])
    )
    model = fitted(data, neighbours=5)
    history = make_histories([[(item, 1.0, 1.0 + item) for item in (0, 4)]], 41)
    scores = model.with_catalogue(old, twin).score(history)[0]
    np.testing.assert_allclose(scores[40], scores[36], rtol=1e-5)
    assert scores[40] > 0


def test_an_item_without_text_near_it_gets_nothing(data: TrainingData):
    bare = Catalogue(item_ids=data.catalogue.item_ids)
    likeness = Likeness(weights={"text": 1.0})
    carry = Carry.between(bare, likeness, liked_items(data.histories), 5)
    scores = np.ones((2, 40), dtype=np.float32)
    assert carry.fill(scores, 1.0)[:, 36:].tolist() == [[0.0] * 4] * 2
    assert carry.neighbours(36)[0].tolist() == []


def test_an_unknown_recommender_is_refused(data: TrainingData):
    with pytest.raises(BackendUnavailableError, match="oracle"):
        fitted(data, backend="oracle")
