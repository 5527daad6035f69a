from __future__ import annotations

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.errors import ParamsError
from plmrec.histories import Catalogue, Histories
from plmrec.recommenders.blend import Part, standardise
from tests.support.tastes import make_data, make_histories

TWO = {
    "parts": {
        "recent_popularity": {"backend": "recent_popularity"},
        "ease": {"backend": "ease"},
    },
    "weights": {"recent": {"recent_popularity": 0.5, "ease": 2.0}},
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


def test_users_who_liked_nothing_are_told_by_what_is_popular():
    data = make_data()
    model = build_backend("recommenders", "blend", {})
    model.fit(data)
    history = make_histories([[(3, -1.0, data.now)]], data.catalogue.n_items)
    names, added = model.score_parts(history)
    spoke = {name for name, row in zip(names, added, strict=True) if row.any()}
    assert spoke == {"popularity", "recent_popularity", "month", "week", "trend"}


def test_each_user_is_served_by_the_weights_of_their_context():
    data = make_data()
    options = {
        **TWO,
        "away_days": 30.0,
        "weights": {
            "recent": {"ease": 1.0},
            "away": {"ease": 3.0},
            "new": {"recent_popularity": 2.0},
        },
    }
    model = build_backend("recommenders", "blend", options)
    model.fit(data)
    day = 86_400.0
    rows = [[(1, 1.0, data.now - 29 * day)], [(1, 1.0, data.now - 31 * day)], []]
    histories = make_histories(rows, data.catalogue.n_items)
    assert model.contexts(histories).tolist() == [0, 1, 2]
    names, added = model.score_parts(histories)
    ease, recent = (added[names.index(name)] for name in ("ease", "recent_popularity"))
    np.testing.assert_allclose(ease[1], 3.0 * ease[0], rtol=1e-5)
    assert not ease[2].any()
    assert not recent[:2].any()
    assert recent[2].any()
    np.testing.assert_allclose(model.score(histories), added.sum(axis=0), atol=1e-5)


def test_users_of_unknown_times_are_not_away():
    data = make_data(dated=False)
    model = build_backend("recommenders", "blend", {**TWO, "away_days": 1.0})
    model.fit(data)
    assert not model.contexts(data.histories).any()


def test_an_item_nobody_liked_is_scored_by_the_parts_that_read_texts():
    data = make_data()
    cold = data.catalogue.n_items - 1
    model = build_backend(
        "recommenders",
        "blend",
        {
            "parts": {"ease": {"backend": "ease"}, "content": {"backend": "content"}},
            "weights": {"recent": {"ease": 1.0}},
            "cold_share": 0.5,
        },
    )
    model.fit(data)
    names, added = model.score_parts(data.histories)
    content = model.part_scores("content", data.histories)
    np.testing.assert_allclose(added[names.index("content"), :, cold], 0.5 * content[:, cold])
    assert not added[names.index("ease"), :, cold].any()
    own = np.arange(data.histories.n_users) % 4 == cold % 4
    scores = model.score(data.histories)[:, cold]
    assert scores[own].mean() > scores[~own].mean()


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


def test_refuses_weights_of_parts_it_does_not_have():
    with pytest.raises(ParamsError, match=r"weights\.away"):
        build_backend("recommenders", "blend", {"weights": {"away": {"nobody": 1.0}}})
    with pytest.raises(ParamsError, match="parts"):
        build_backend("recommenders", "blend", {"parts": {}})


def test_a_part_reads_text_when_its_backend_says_so():
    assert Part(backend="content").reads_text
    assert not Part(backend="ease").reads_text
