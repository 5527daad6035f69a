from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.errors import ParamsError, PermanentError
from plmrec.histories import Catalogue, Histories, TrainingData
from plmrec.metrics.probabilities import area_under_curve
from plmrec.recommenders._ranker_lesson import in_any_order
from tests.support.tastes import make_data, make_histories

SMALL = {
    "width": 12,
    "hidden": 12,
    "dropout": 0.1,
    "batch_entries": 128,
    "learning_rate": 0.02,
    "epochs": 12,
    "max_history": 4,
}
GROUPS = np.arange(40) % 4


def fitted(data: TrainingData, **options: Any) -> Any:
    model = build_backend("recommenders", "ranker", SMALL | options)
    model.fit(data)
    return model


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """Users like one group of four, and dislike the others that they meet; all meet as many."""
    rng = np.random.default_rng(5)
    whole = make_data(n_cold=0)
    rows = []
    for user in range(80):
        own = rng.permutation(np.flatnonzero(user % 4 == GROUPS))[:6]
        other = rng.permutation(np.flatnonzero(user % 4 != GROUPS))[:6]
        items = rng.permutation(np.concatenate([own, other]))
        rows.append(
            [
                (int(item), 1.0 if GROUPS[item] == user % 4 else -1.0, 1e9 + 60.0 * step)
                for step, item in enumerate(items)
            ]
        )
    return whole.with_histories(make_histories(rows, 40))


@pytest.fixture(scope="module")
def model(data: TrainingData) -> Any:
    return fitted(data.with_histories(data.histories.block(0, 60)))


def test_tells_likes_from_dislikes_of_users_it_never_saw(data: TrainingData, model: Any):
    others = data.histories.block(60, 80)
    told = others.ranks_from_end() < 8  # the first entries say nothing of a taste yet
    found = model.predict_entries(others)
    assert area_under_curve(found[told], others.is_positive[told]) > 0.8


def test_a_prediction_knows_nothing_of_what_it_predicts_nor_of_what_follows(
    data: TrainingData, model: Any
):
    history = data.histories.block(60, 61)
    before = model.predict_entries(history)
    later = np.arange(12) >= 7
    turned = dataclasses.replace(
        history, weights=np.where(later, -history.weights, history.weights)
    )
    after = model.predict_entries(turned)
    np.testing.assert_allclose(after[:8], before[:8], rtol=1e-5)
    assert (np.abs(after[8:] - before[8:]) > 1e-3).any()


def test_all_items_are_scored_as_each_would_be_if_it_came_next(data: TrainingData, model: Any):
    history = data.histories.block(61, 62)
    history = history.keep(np.arange(12) < 3)  # shorter than max_history: windows are alike
    found = model.probabilities(history)[0]
    last = float(history.times[-1])
    for item in np.setdiff1d(np.arange(40), history.items)[:5]:
        row = [
            *zip(history.items.tolist(), history.weights, history.times, strict=True),
            (int(item), 1.0, last + 1e-3),
        ]
        longer = make_histories([row], 40)
        np.testing.assert_allclose(model.predict_entries(longer)[-1], found[item], rtol=1e-4)


def test_the_order_of_a_history_matters(model: Any):
    one = make_histories([[(0, 1.0, 1.0), (1, -1.0, 2.0), (2, 1.0, 3.0)]], 40)
    two = make_histories([[(2, 1.0, 1.0), (0, 1.0, 2.0), (1, -1.0, 3.0)]], 40)
    assert np.abs(model.probabilities(one) - model.probabilities(two)).max() > 1e-3


def test_only_the_last_entries_are_read_but_all_are_counted(data: TrainingData, model: Any):
    history = data.histories.block(62, 63)
    other_first = dataclasses.replace(history, items=history.items.copy())
    unmet = np.setdiff1d(np.arange(40), history.items)
    other_first.items[0] = unmet[0]
    np.testing.assert_array_equal(model.score(history), model.score(other_first))


def test_a_score_is_the_logarithm_of_meeting_and_liking(data: TrainingData, model: Any):
    history = data.histories.block(63, 64)
    both = model.probabilities(history) * model.probabilities(history, "click")
    np.testing.assert_allclose(model.score(history), np.log(both), rtol=1e-3, atol=1e-5)


def test_with_one_task_the_score_is_the_logarithm_of_its_probability(data: TrainingData):
    model = fitted(data, tasks=["like"], epochs=1)
    history = data.histories.block(0, 1)
    expected = np.log(model.probabilities(history))
    np.testing.assert_allclose(model.score(history), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(PermanentError, match="click"):
        model.probabilities(history, "click")


def test_where_everything_was_liked_items_not_met_are_the_others():
    data = make_data(n_cold=0)
    data = data.with_histories(data.histories.positives())
    model = fitted(data, tasks=["like"], epochs=20)
    found = model.probabilities(data.histories)
    own = np.arange(60)[:, None] % 4 == GROUPS
    assert found[own].mean() > 1.5 * found[~own].mean()


def test_click_tells_items_that_are_met_from_others(data: TrainingData):
    met = data.histories.keep(data.histories.items < 20)
    model = fitted(data.with_histories(met), tasks=["like", "click"])
    found = model.probabilities(met, "click")
    assert found[:, :20].mean() > 2 * found[:, 20:].mean()


def test_watch_learns_the_share_that_is_watched(data: TrainingData):
    histories = data.histories
    shares = np.where(GROUPS[histories.items] < 2, 0.9, 0.2)
    shares[::3] = np.nan
    watched = dataclasses.replace(histories, watch_shares=shares)
    model = fitted(data.with_histories(watched), tasks=["like", "watch"], epochs=25)
    found = model.probabilities(histories, "watch").mean(axis=0)
    assert found[GROUPS < 2].mean() == pytest.approx(0.9, abs=0.15)
    assert found[GROUPS >= 2].mean() == pytest.approx(0.2, abs=0.15)


def test_reports_on_entries_it_was_not_fitted_to(data: TrainingData, model: Any):
    found = model.report()
    assert found["auc"] > 0.7
    assert 0.0 <= found["threshold"] <= 1.0
    assert found["n"] == pytest.approx(0.15 * 720 / 2, rel=0.25)
    again = build_backend("recommenders", "ranker", SMALL)
    again.load_state(*model.state())
    assert again.report() == found


def test_names_the_liked_items_without_which_the_score_would_be_lower(
    data: TrainingData, model: Any
):
    history = data.histories.block(64, 65)
    item = int(np.argmax(np.where(history.seen()[0], -np.inf, model.score(history)[0])))
    (found,) = model.explain(history, item)
    assert found.value == pytest.approx(model.score(history)[0, item], rel=1e-4)
    assert set(history.items[-4:].tolist()) >= {place for place, _ in found.items}
    for place, added in found.items:
        without = model.score(history.keep(history.items != place))[0, item]
        assert added == pytest.approx(found.value - without, abs=1e-4)


def test_a_new_item_is_read_like_one_that_nobody_met(data: TrainingData):
    few = data.histories.keep(data.histories.items != 39)
    model = fitted(data.with_histories(few), epochs=1)
    old = data.catalogue
    vectors = np.concatenate([old.vectors, old.vectors[39:]])
    new = Catalogue(item_ids=(*old.item_ids, "twin"), vectors=vectors)
    history = make_histories([[(0, 1.0, 1.0), (5, -1.0, 2.0)]], 41)
    scores = model.with_catalogue(old, new).score(history)[0]
    np.testing.assert_allclose(scores[40], scores[39], rtol=1e-5)


def test_a_user_of_whom_nothing_is_known_is_scored_by_counts_and_texts(model: Any):
    nobody = Histories.empty(("a",), 40)
    assert np.ptp(model.probabilities(nobody)) > 0.01


def test_entries_of_one_moment_are_learnt_in_no_order():
    rows = [[(item, 1.0 if item < 5 else -1.0, float(item // 10)) for item in range(20)]]
    histories = make_histories(rows * 2, 20)
    histories = dataclasses.replace(histories, watch_shares=histories.items / 20)
    found = in_any_order(histories, 3)
    assert (np.diff(found.items[:10]) < 0).any()
    for user in (slice(0, 20), slice(20, 40)):
        assert sorted(found.items[user].tolist()) == list(range(20))
    np.testing.assert_array_equal(found.times, histories.times)
    np.testing.assert_array_equal(found.is_positive, found.items < 5)
    np.testing.assert_array_equal(found.watch_shares, found.items / 20)


def test_likes_must_be_among_the_tasks():
    with pytest.raises(ParamsError, match="like"):
        build_backend("recommenders", "ranker", {"tasks": ["click"]})
    with pytest.raises(ParamsError, match="once"):
        build_backend("recommenders", "ranker", {"tasks": ["like", "like"]})
