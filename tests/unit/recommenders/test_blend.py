from __future__ import annotations

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.errors import ParamsError
from plmrec.histories import Catalogue, Histories
from plmrec.recommenders.blend import standardise
from tests.support.tastes import make_data, make_histories

TWO = {
    "parts": {
        "recent_popularity": {"backend": "recent_popularity"},
        "ease": {"backend": "ease"},
    },
    "weights": {"recent_popularity": 0.5, "ease": 2.0},
}


def test_standardising_is_over_the_items_the_user_has_not_seen():
    scores = np.array([[5.0, 1.0, 3.0, 100.0]], dtype=np.float32)
    seen = make_histories([[(3, 1.0, 1.0)]], 4)
    found = standardise(scores.copy(), seen)
    others = scores[0, :3]
    expected = np.arcsinh((others - others.mean()) / others.std())
    np.testing.assert_allclose(found[0, :3], expected, rtol=1e-5)


def test_equal_scores_say_nothing():
    assert not standardise(np.full((1, 4), 3.7, np.float32), Histories.empty(("u",), 4)).any()


def test_is_the_weighted_sum_of_its_standardised_parts():
    data = make_data(n_cold=0)
    model = build_backend("recommenders", "blend", TWO)
    model.fit(data)
    parts = {}
    for name in TWO["parts"]:
        part = build_backend("recommenders", name, {})
        part.fit(data)
        parts[name] = standardise(part.score(data.histories), data.histories)
    expected = 0.5 * parts["recent_popularity"] + 2.0 * parts["ease"]
    np.testing.assert_allclose(model.score(data.histories), expected, atol=1e-5)


def test_users_who_liked_nothing_get_recent_popularity():
    data = make_data()
    model = build_backend("recommenders", "blend", {})
    model.fit(data)
    history = make_histories([[(3, -1.0, 1.0)]], data.catalogue.n_items)
    names, added = model.score_parts(history)
    assert [name for name, row in zip(names, added, strict=True) if row.any()] == [
        "recent_popularity"
    ]


def test_an_item_nobody_liked_borrows_from_its_nearest_texts():
    data = make_data()
    cold = data.catalogue.n_items - 1
    group = cold % 4
    scores = {}
    for share in (0.0, 1.0):
        model = build_backend("recommenders", "blend", TWO | {"cold_share": share})
        model.fit(data)
        scores[share] = model.score(data.histories)[:, cold]
    own = np.arange(data.histories.n_users) % 4 == group
    gain = scores[1.0] - scores[0.0]
    assert gain[own].mean() > gain[~own].mean()


def test_new_items_are_recommendable_and_lost_ones_vanish():
    data = make_data()
    old, vectors = data.catalogue, data.catalogue.vectors
    model = build_backend("recommenders", "blend", {"cold_share": 1.0})
    model.fit(data)
    twin_of = int(data.histories.positives().items[0])
    kept = np.arange(1, old.n_items)
    new = Catalogue(
        item_ids=(*(old.item_ids[i] for i in kept), "twin"),
        vectors=np.concatenate([vectors[kept], vectors[twin_of][None]]),
    )
    moved = model.with_catalogue(old, new)
    user = data.histories.block(0, 1)
    user = user.keep(user.items != 0)
    history = Histories.build(
        user_ids=user.user_ids,
        n_items=new.n_items,
        users=user.users,
        items=user.items - 1,
        weights=user.weights,
        times=user.times,
    )
    scores = moved.score(history)[0]
    assert np.isfinite(scores).all()
    assert scores[-1] > np.median(scores)


def test_refuses_a_fallback_and_weights_of_parts_it_does_not_have():
    with pytest.raises(ParamsError, match="fallback"):
        build_backend("recommenders", "blend", {"fallback": "nobody"})
    with pytest.raises(ParamsError, match="weights"):
        build_backend("recommenders", "blend", {"weights": {"nobody": 1.0}})
