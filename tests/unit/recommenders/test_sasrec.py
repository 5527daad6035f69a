from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from plmrec.backends import build_backend
from plmrec.errors import ParamsError
from plmrec.histories import Catalogue, Histories, TrainingData
from plmrec.recommenders._attention import Reader, last_states
from plmrec.recommenders._sasrec_training import (
    Learner,
    Lesson,
    Patience,
    hold_out,
    make_round,
    train,
)
from plmrec.recommenders._torch import sampled_softmax_loss, softmax_loss
from plmrec.recommenders.sasrec import Options
from tests.support.tastes import make_data, make_histories

N_ITEMS = 10
SMALL = {"width": 16, "heads": 2, "layers": 1, "dropout": 0.0, "learning_rate": 0.01}


def rows_of(sequences: list[list[int]], n_items: int, weight: float = 1.0) -> Histories:
    """Histories of items in this order."""
    rows = [[(i, weight, float(t)) for t, i in enumerate(row)] for row in sequences]
    return make_histories(rows, n_items)


def fitted(data: TrainingData, **options: Any) -> Any:
    model = build_backend("recommenders", "sasrec", {**SMALL, **options})
    model.fit(data)
    return model


@pytest.fixture(scope="module")
def cycle() -> TrainingData:
    """Every user walks some steps round a circle of items."""
    walks = [[(s + t) % N_ITEMS for t in range(3 + s % 5)] for s in range(4 * N_ITEMS)]
    catalogue = Catalogue(item_ids=tuple(f"i{n}" for n in range(N_ITEMS)))
    return TrainingData(catalogue=catalogue, histories=rows_of(walks, N_ITEMS), now=10.0)


@pytest.fixture(scope="module")
def tastes() -> TrainingData:
    return make_data()


@pytest.fixture(scope="module")
def reader() -> Reader:
    torch.manual_seed(0)
    reader = Reader(width=8, layers=2, heads=2, dropout=0.5, length=6)
    for weights in reader.parameters():
        torch.nn.init.normal_(weights, std=0.5)
    return reader.eval()


@pytest.mark.parametrize("full_softmax_up_to", [4000, 0])
def test_learns_a_cycle_exactly(cycle: TrainingData, full_softmax_up_to: int):
    model = fitted(
        cycle, holdout_users=0, epochs=12, full_softmax_up_to=full_softmax_up_to, n_negatives=20
    )
    walks = [[(s + t) % N_ITEMS for t in range(4)] for s in range(N_ITEMS)]
    best = model.score(rows_of(walks, N_ITEMS)).argmax(axis=1)
    np.testing.assert_array_equal(best, [(s + 4) % N_ITEMS for s in range(N_ITEMS)])


def test_the_order_of_a_history_counts(cycle: TrainingData):
    model = fitted(cycle, holdout_users=0, epochs=20)
    forth, back = model.score(rows_of([[4, 5, 6], [6, 5, 4]], N_ITEMS))
    assert forth.argmax() == 7
    assert back.argmax() != 7


def test_a_later_item_never_changes_what_was_said_earlier(reader: Reader):
    items, kinds = torch.randn(3, 6, 8), torch.randint(0, 2, (3, 6))
    said = reader(items, kinds)
    for place in range(1, 6):
        others, other_kinds = items.clone(), kinds.clone()
        others[:, place:], other_kinds[:, place:] = torch.randn(3, 6 - place, 8), 1
        again = reader(others, other_kinds)
        torch.testing.assert_close(again[:, :place], said[:, :place], rtol=1e-5, atol=1e-5)
        assert not torch.allclose(again[:, place:], said[:, place:])


def test_padding_does_not_change_what_is_said(reader: Reader):
    items = np.random.default_rng(0).normal(size=(N_ITEMS, 8)).astype(np.float32)
    rows = [[1], [2, 3], [4, 5, 6, 7, 8], [9, 0, 1, 2, 3, 4, 5, 6]]
    together = last_states(reader, items, rows_of(rows, N_ITEMS))
    for row, said in zip(rows, together, strict=True):
        alone = last_states(reader, items, rows_of([row], N_ITEMS))
        np.testing.assert_allclose(alone[0], said, rtol=1e-4, atol=1e-5)


def test_only_the_last_entries_are_read(reader: Reader):
    items = np.random.default_rng(0).normal(size=(N_ITEMS, 8)).astype(np.float32)
    long, last, shorter = [9, 0, 1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6]
    said = last_states(reader, items, rows_of([long, last, shorter], N_ITEMS))
    np.testing.assert_allclose(said[0], said[1], rtol=1e-4, atol=1e-5)
    assert not np.allclose(said[1], said[2], atol=1e-3)


def test_the_sampled_softmax_is_the_full_one_in_expectation():
    torch.manual_seed(1)
    states, items = torch.randn(1, 4, dtype=torch.double), torch.randn(5, 4, dtype=torch.double)
    target = torch.tensor([2])
    chances = torch.tensor([0.1, 0.2, 0.3, 0.25, 0.15], dtype=torch.double)
    # exp(loss) is the sum over items by the target's share of it, so the mean over every item
    # that may be drawn alone must be the full one's
    mean = sum(
        chances[j]
        * sampled_softmax_loss(
            states, items, target, torch.tensor([j]), chances[j : j + 1].log()
        ).exp()
        for j in range(5)
    )
    torch.testing.assert_close(mean, softmax_loss(states, items, target).exp())


def test_holds_out_the_last_wanted_entry_and_what_came_after():
    rows = [[(0, 1.0, 1.0), (1, 1.0, 2.0), (2, -1.0, 3.0)], [(3, 1.0, 1.0)], [(4, -1.0, 1.0)]]
    rows += [[(5, 1.0, 1.0), (6, 0.0, 2.0), (7, 1.0, 3.0)]]
    read = make_histories(rows, 8)
    wanted = np.array([0, 1, 0, 0, 0, 0, 0, 1], dtype=bool)  # likes that something came before
    lesson = Lesson(read=read, wanted=wanted, texts=np.zeros((8, 0), np.float32))
    rest, holdout = hold_out(lesson, 1, np.random.default_rng(0))
    held = {0: (1, [0]), 3: (7, [5, 6])}
    (row,) = (u for u in held if rest.read.indptr[u + 1] - rest.read.indptr[u] == len(held[u][1]))
    target, before = held[row]
    assert holdout.targets.tolist() == [target]
    assert holdout.read.items.tolist() == before
    assert (
        len(rest.wanted) == len(rest.read.items) == len(read.items) - (len(rows[row]) - len(before))
    )


def test_a_round_has_enough_batches_and_an_empty_lesson_has_none(cycle: TrainingData):
    read = cycle.histories
    options, rng = Options(batch_entries=100), np.random.default_rng(0)
    texts = np.zeros((N_ITEMS, 0), np.float32)
    lesson = Lesson(read=read, wanted=np.ones(len(read.items), bool), texts=texts)
    batches = list(make_round(lesson, options, rng))
    n_wanted = sum(int(batch.wanted[:, 1:].sum()) for batch in batches)
    assert len(batches) >= 10
    assert n_wanted % (len(read.items) - read.n_users) == 0  # whole passes
    nothing = Lesson(read=read, wanted=np.zeros(len(read.items), bool), texts=texts)
    assert list(make_round(nothing, options, rng)) == []


def test_patience_ends_after_so_many_measures_without_a_better_one():
    patience = Patience(2)
    assert [patience.is_better(m) for m in (0.1, 0.3, 0.2, 0.4, 0.4)] == [1, 1, 0, 1, 0]
    assert not patience.is_over
    patience.is_better(0.1)
    assert patience.is_over


def test_the_step_limit_is_kept(cycle: TrainingData):
    read = cycle.histories
    lesson = Lesson(
        read=read,
        wanted=np.ones(len(read.items), bool),
        texts=np.zeros((N_ITEMS, 0), np.float32),
    )
    options = {**SMALL, "items": "id", "averaging": 0.0, "holdout_users": 0}
    states = [
        train(lesson, Options(**options, epochs=epochs, max_steps=3)).vectors() for epochs in (1, 9)
    ]
    np.testing.assert_array_equal(states[0], states[1])


def test_training_leaves_torchs_random_numbers_alone(cycle: TrainingData):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fitted(cycle, epochs=1)
    torch.testing.assert_close(torch.rand(3), expected)


def test_the_number_of_threads_does_not_change_a_bit(cycle: TrainingData):
    before, states = torch.get_num_threads(), []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            states.append(fitted(cycle, epochs=1, width=64).state()[0]["items"])
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(states[0], states[1])


def test_another_seed_gives_another_state(cycle: TrainingData):
    one, two = (fitted(cycle, epochs=1, seed=seed).state()[0]["items"] for seed in (1, 2))
    assert not np.allclose(one, two)


@pytest.mark.parametrize("items", ["text", "fused"])
def test_a_new_item_is_scored_from_its_text(tastes: TrainingData, items: str):
    model = fitted(tastes, items=items, epochs=10)
    scores = model.score(tastes.histories)
    users = np.arange(tastes.histories.n_users)
    # items 38 and 39, which nobody had to do with, are of the tastes of users 2 and 3 of every 4
    assert scores[users % 4 == 2, 38].mean() > scores[users % 4 == 2, 39].mean()
    assert scores[users % 4 == 3, 39].mean() > scores[users % 4 == 3, 38].mean()
    others = scores[:, :38][users % 4 == 2][:, np.arange(38) % 4 != 2]
    assert scores[users % 4 == 2, 38].mean() > others.mean()


def test_an_item_nobody_had_to_do_with_stands_lowest_by_id(tastes: TrainingData):
    scores = fitted(tastes, items="id", epochs=3).score(tastes.histories)
    np.testing.assert_array_equal(scores[:, 38], scores[:, :38].min(axis=1))
    np.testing.assert_array_equal(scores[:, 39], scores[:, 38])


def test_an_empty_history_gives_zeros(tastes: TrainingData):
    model = fitted(tastes, epochs=1)
    assert not model.score(Histories.empty(("u",), 40)).any()


def test_by_text_a_new_item_of_a_known_text_scores_like_the_known_one(tastes: TrainingData):
    old = tastes.catalogue
    assert old.vectors is not None
    model = fitted(tastes, items="text", epochs=2)
    new = Catalogue(
        item_ids=("new", *old.item_ids[::-1], "dumb"),
        vectors=np.concatenate([old.vectors[5:6], old.vectors[::-1], np.zeros((1, 8), np.float32)]),
    )
    history = tastes.histories.block(0, 1)
    moved = Histories.build(
        user_ids=history.user_ids,
        n_items=new.n_items,
        users=history.users,
        items=40 - history.items,
        weights=history.weights,
        times=history.times,
    )
    scores = model.with_catalogue(old, new).score(moved)[0]
    assert scores[0] == pytest.approx(scores[40 - 5], abs=1e-5)
    assert scores[-1] == scores.min()


def test_where_nothing_can_be_predicted_all_items_stand_alike(tastes: TrainingData):
    firsts = tastes.histories.keep(np.diff(tastes.histories.users, prepend=-1) != 0)
    model = fitted(tastes.with_histories(firsts))
    assert not model.score(tastes.histories).any()


def test_text_alone_without_vectors_gives_zeros(cycle: TrainingData):
    assert not fitted(cycle, items="text", epochs=1).score(cycle.histories).any()


def test_disliked_entries_are_read_but_not_predicted():
    rng = np.random.default_rng(0)
    # whoever dislikes 0 likes 2 next, whoever dislikes 1 likes 3 next; 4 to 7 say nothing
    rows = []
    for user in range(60):
        sign = user % 2
        rows.append([(4 + int(rng.integers(4)), 1.0, 0.0), (sign, -1.0, 1.0), (2 + sign, 1.0, 2.0)])
    data = TrainingData(
        catalogue=Catalogue(item_ids=tuple("abcdefgh")), histories=make_histories(rows, 8), now=3.0
    )
    model = fitted(data, reads="seen", predicts="liked", epochs=20, holdout_users=0)
    before = make_histories([[(5, 1.0, 0.0), (s, -1.0, 1.0)] for s in (0, 1)], 8)
    scores = model.score(before)
    np.testing.assert_array_equal(scores.argmax(axis=1), [2, 3])
    liked_only = model.score(make_histories([[(5, 1.0, 0.0)]], 8))[0]
    assert max(liked_only[0], liked_only[1]) < min(liked_only[2], liked_only[3])


def test_names_the_item_without_which_the_score_falls_most(cycle: TrainingData):
    model = fitted(cycle, holdout_users=0, epochs=20)
    history = rows_of([[2, 3, 4]], N_ITEMS)
    (found,) = model.explain(history, 5)
    whole = model.score(history)[0, 5]
    without = model.score(rows_of([[2, 3]], N_ITEMS))[0, 5]
    assert found.value == pytest.approx(whole)
    assert found.items[0][0] == 4
    assert found.items[0][1] == pytest.approx(whole - without, rel=1e-4)


def test_heads_must_divide_the_width():
    with pytest.raises(ParamsError, match="heads"):
        build_backend("recommenders", "sasrec", {"width": 10, "heads": 3})


def test_ids_alone_are_hidden_in_training_only(tastes: TrainingData):
    rng = np.random.default_rng(0)
    texts = rng.normal(size=(6, 4)).astype(np.float32)
    read = rows_of([[0, 1, 2], [3, 4, 5]], 6)
    lesson = Lesson(read=read, wanted=np.ones(6, bool), texts=texts)
    learner = Learner(lesson, Options(items="fused", id_dropout=0.99, width=4))
    table, rows = learner.table, torch.arange(6)
    assert table.projection is not None
    assert table.ids is not None
    projected = table.projection(table.texts)
    torch.manual_seed(0)
    table.train()
    hidden = torch.isclose(table(rows), projected).all(dim=1)
    assert hidden.float().mean() > 0.5
    table.eval()
    torch.testing.assert_close(table(rows), projected + table.ids.weight)
