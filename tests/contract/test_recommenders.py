from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from plmrec.backends import backend_names, build_backend
from plmrec.errors import PermanentError, ShapeError
from plmrec.histories import Catalogue, Histories, TrainingData
from plmrec.metrics.lists import top_k
from plmrec.recommenders.base import Recommender
from tests.support.tastes import make_data

NO_DATES = make_data(dated=False)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return make_data()


@pytest.fixture(params=backend_names("recommenders"))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {}


@pytest.fixture
def model(name: str, data: TrainingData, models: dict[str, Any]) -> Any:
    if name not in models:
        models[name] = fitted(name, data)
    return models[name]


def fitted(name: str, data: TrainingData) -> Any:
    model = build_backend("recommenders", name, {})
    model.fit(data)
    return model


def test_keeps_the_protocol(name: str):
    assert isinstance(build_backend("recommenders", name, {}), Recommender)


def test_scores_every_item_for_every_user_with_finite_numbers(model: Any, data: TrainingData):
    scores = model.score(data.histories)
    assert scores.shape == (data.histories.n_users, data.catalogue.n_items)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_scores_histories_of_users_it_never_saw(model: Any, data: TrainingData):
    others = make_data(n_users=5, seed=99).histories
    scores = model.score(others)
    assert scores.shape == (5, data.catalogue.n_items)
    assert np.isfinite(scores).all()


def test_a_users_scores_do_not_depend_on_the_other_users_in_the_block(
    model: Any, data: TrainingData
):
    together, alone = model.score(data.histories), model.score(data.histories.block(7, 8))
    np.testing.assert_allclose(together[7:8], alone, rtol=1e-4, atol=1e-5)


def test_users_without_a_history_are_scored(model: Any, data: TrainingData):
    nobody = Histories.empty(("new", "newer"), data.catalogue.n_items)
    scores = model.score(nobody)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores[0], scores[1])


def test_no_users_give_no_rows(model: Any, data: TrainingData):
    nobody = Histories.empty((), data.catalogue.n_items)
    assert model.score(nobody).shape == (0, data.catalogue.n_items)


def test_the_same_data_give_the_same_state_and_lists(name: str, data: TrainingData):
    one, two = fitted(name, data), fitted(name, data)
    (arrays, values), (others, other_values) = one.state(), two.state()
    assert values == other_values
    assert arrays.keys() == others.keys()
    for key in arrays:
        np.testing.assert_array_equal(arrays[key], others[key])
    seen = data.histories.seen()
    lists = [top_k(model.score(data.histories), seen, 5)[0] for model in (one, one, two)]
    np.testing.assert_array_equal(lists[0], lists[1])
    np.testing.assert_array_equal(lists[0], lists[2])


def test_its_state_gives_identical_scores(name: str, model: Any, data: TrainingData):
    arrays, values = model.state()
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in arrays.values())
    again = build_backend("recommenders", name, {})
    again.load_state(arrays, values)
    np.testing.assert_array_equal(again.score(data.histories), model.score(data.histories))


def test_fitting_again_forgets_what_was_learnt_before(name: str, model: Any, data: TrainingData):
    again = fitted(name, make_data(seed=11))
    again.fit(data)
    np.testing.assert_array_equal(again.score(data.histories), model.score(data.histories))


@pytest.mark.parametrize("kind", ["undated", "nothing liked", "nothing at all", "no vectors"])
def test_poor_data_give_finite_scores(name: str, kind: str, data: TrainingData):
    histories, catalogue = data.histories, data.catalogue
    poor = {
        "undated": NO_DATES,
        "nothing liked": data.with_histories(histories.keep(~histories.is_positive)),
        "nothing at all": data.with_histories(Histories.empty(("u",), catalogue.n_items)),
        "no vectors": TrainingData(
            catalogue=Catalogue(item_ids=catalogue.item_ids), histories=histories, now=data.now
        ),
    }[kind]
    scores = fitted(name, poor).score(histories)
    assert np.isfinite(scores).all()


def test_refuses_histories_over_another_catalogue(model: Any, data: TrainingData):
    with pytest.raises(ShapeError):
        model.score(Histories.empty(("u",), data.catalogue.n_items + 1))


def test_says_so_when_it_was_not_fitted(name: str, data: TrainingData):
    with pytest.raises(PermanentError, match="fit"):
        build_backend("recommenders", name, {}).score(data.histories)


@pytest.mark.parametrize(
    # the blend's scores are standardised over the catalogue, so they move with it
    "name",
    [name for name in backend_names("recommenders") if name != "blend"],
)
def test_items_keep_their_scores_when_the_catalogue_is_reordered_and_grows(
    name: str, model: Any, data: TrainingData
):
    old = data.catalogue
    assert old.vectors is not None
    order = np.random.default_rng(1).permutation(old.n_items)
    new = Catalogue(
        item_ids=(*(old.item_ids[i] for i in order), "new"),
        vectors=np.concatenate([old.vectors[order], old.vectors[:1]]),
    )
    history = data.histories.block(3, 4)
    places = np.argsort(order)
    moved = Histories.build(
        user_ids=history.user_ids,
        n_items=new.n_items,
        users=history.users,
        items=places[history.items],
        weights=history.weights,
        times=history.times,
    )
    before, after = model.score(history)[0], model.with_catalogue(old, new).score(moved)[0]
    assert after.shape == (new.n_items,)
    if name not in ("content", "carried"):  # a new text changes the mean of all texts
        np.testing.assert_allclose(after[places], before, rtol=1e-4, atol=1e-5)
        assert after[-1] <= after.max()


def test_says_what_brought_an_item_up(model: Any, data: TrainingData):
    history = data.histories.block(2, 3)
    scores = model.score(history)
    item = int(top_k(scores, history.seen(), 1)[0][0, 0])
    found = model.explain(history, item)
    assert sum(one.value for one in found) == pytest.approx(scores[0, item], rel=1e-3, abs=1e-4)
    assert [one.value for one in found] == sorted((one.value for one in found), reverse=True)
    liked = set(history.positives().items.tolist())
    for one in found:
        assert {place for place, _ in one.items} <= liked
        assert len(one.items) <= 3
