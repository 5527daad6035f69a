from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from plmrec.backends import build_backend
from plmrec.histories import Catalogue, Histories, TrainingData
from plmrec.recommenders._torch import info_nce_loss
from plmrec.recommenders._tower_training import Graph, Shuffled, multiply, rest_of_users
from tests.support.tastes import make_data, make_histories

READ = make_histories(
    [[(0, 1.0, 1.0), (1, 1.0, 2.0), (2, 1.0, 3.0)], [(1, 1.0, 1.0), (3, 1.0, 2.0)]], 5
)


@pytest.fixture(scope="module")
def tastes() -> TrainingData:
    return make_data()


def fitted(data: TrainingData, **options: Any) -> Any:
    model = build_backend("recommenders", "text_tower", {"epochs": 60, **options})
    model.fit(data)
    return model


@pytest.fixture(scope="module")
def model(tastes: TrainingData) -> Any:
    return fitted(tastes)


def test_a_walk_goes_to_users_and_back_by_the_roots_of_degrees():
    items = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    likes = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 0]])
    edges = likes / np.sqrt(likes.sum(1, keepdims=True) * np.maximum(likes.sum(0), 1))
    walk = edges.T @ edges
    expected = (items + walk @ items + walk @ walk @ items) / 3
    found = Graph.of(READ).propagate(torch.from_numpy(items), 2).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_no_walk_leaves_items_as_they_are():
    items = torch.randn(5, 3)
    torch.testing.assert_close(Graph.of(READ).propagate(items, 0), items)


def test_gradients_pass_through_a_sparse_product():
    matrix = READ.matrix().astype(np.float64)
    dense = torch.randn(5, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: multiply(x, matrix, matrix.T.tocsr()), (dense,))


def test_a_user_is_the_mean_of_the_other_items():
    items = torch.randn(5, 3)
    states, targets = rest_of_users(items, READ, np.array([4, 0]))  # items 3 and 0
    assert targets.tolist() == [3, 0]
    for state, mean in zip(states, [items[1], items[1] + items[2]], strict=True):
        torch.testing.assert_close(state, mean / mean.norm(), rtol=1e-4, atol=1e-5)


def test_info_nce_by_hand():
    items = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    states = torch.tensor([[0.6, 0.8]])
    # cosines 0.6 and 0.8 and -0.6, by 0.5; the target, drawn too, counts once
    found = info_nce_loss(states, items, torch.tensor([0]), torch.tensor([0, 1, 2]), 0.5)
    expected = np.log(np.exp([1.2, 1.6, -1.2]).sum()) - 1.2
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_every_entry_is_taken_once_per_pass():
    order = Shuffled(np.arange(10), np.random.default_rng(0))
    passes = [np.concatenate([order.take(4) for _ in range(3)]) for _ in range(2)]
    assert [sorted(each) for each in passes] == [list(range(10))] * 2
    assert passes[0].tolist() != passes[1].tolist()


def test_ranks_items_of_the_users_taste_first(model: Any, tastes: TrainingData):
    scores = model.score(tastes.histories)
    users, items = np.arange(tastes.histories.n_users), np.arange(38)
    own = (users[:, None] % 4) == (items % 4)
    assert scores[:, :38][own].mean() > scores[:, :38][~own].mean() + 0.3


def test_an_item_nobody_liked_is_scored_from_its_text(model: Any, tastes: TrainingData):
    scores = model.score(tastes.histories)
    users = np.arange(tastes.histories.n_users)
    assert scores[users % 4 == 2, 38].mean() > scores[users % 4 == 2, 39].mean() + 0.3
    assert scores[users % 4 == 3, 39].mean() > scores[users % 4 == 3, 38].mean() + 0.3


def test_a_new_item_is_projected_without_a_walk(tastes: TrainingData):
    old = tastes.catalogue
    assert old.vectors is not None
    model = fitted(tastes, epochs=3, steps=0)  # nothing but projections
    new = Catalogue(
        item_ids=(*old.item_ids, "new", "dumb"),
        vectors=np.concatenate([old.vectors, old.vectors[7:8], np.zeros((1, 8), np.float32)]),
    )
    history = tastes.histories.block(0, 1)
    moved = Histories.build(
        user_ids=history.user_ids,
        n_items=42,
        users=history.users,
        items=history.items,
        weights=history.weights,
        times=history.times,
    )
    scores = model.with_catalogue(old, new).score(moved)[0]
    assert scores[40] == pytest.approx(scores[7], abs=1e-5)
    assert scores[41] == scores.min()


def test_the_score_is_the_sum_of_what_the_users_items_add(tastes: TrainingData):
    model = fitted(tastes, epochs=3, decay_items=None)
    items = model.state()[0]["items"]
    history = make_histories([[(0, 1.0, 1.0), (4, 0.5, 2.0)]], 40)
    mean = items[0] + 0.5 * items[4]
    (found,) = model.explain(history, 8)
    assert found.value == pytest.approx(float(mean @ items[8] / np.linalg.norm(mean)), abs=1e-5)
    added = {0: items[0] @ items[8], 4: 0.5 * (items[4] @ items[8])}
    assert len(found.items) == 2
    for item, value in found.items:
        assert value == pytest.approx(float(added[item] / np.linalg.norm(mean)), abs=1e-5)


def test_without_texts_or_histories_it_gives_zeros(tastes: TrainingData):
    ids = tastes.catalogue.item_ids
    blind = TrainingData(catalogue=Catalogue(item_ids=ids), histories=tastes.histories, now=0.0)
    assert not fitted(blind).score(tastes.histories).any()
    nobody = tastes.with_histories(Histories.empty(("u",), 40))
    assert not fitted(nobody).score(tastes.histories).any()
    assert not fitted(tastes, epochs=1).score(Histories.empty(("u",), 40)).any()
