from __future__ import annotations

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.errors import DataContractError
from plmrec.histories import Catalogue, Histories, TrainingData
from plmrec.params import Params
from plmrec.stages.encoder_evaluation import (
    COLD,
    LIKES,
    Change,
    compare_encoders,
    is_better,
    judge_retrieval,
    judge_vectors,
    make_yardstick,
)

N_ITEMS, N_USERS, DAY = 24, 40, 86_400.0


def tastes(n_users: int = N_USERS) -> TrainingData:
    """Users like items of one of two kinds, even or odd numbers, one a day."""
    rng = np.random.default_rng(0)
    users, items, times = [], [], []
    for user in range(n_users):
        for day, item in enumerate(rng.permutation(np.arange(user % 2, N_ITEMS, 2))[:8]):
            users.append(user)
            items.append(int(item))
            times.append(DAY * (day + 1) + user)
    histories = Histories.build(
        user_ids=[f"u{user}" for user in range(n_users)],
        n_items=N_ITEMS,
        users=np.array(users, dtype=np.int64),
        items=np.array(items, dtype=np.int64),
        weights=np.ones(len(users)),
        times=np.array(times, dtype=np.float64),
    )
    catalogue = Catalogue(item_ids=tuple(f"i{number}" for number in range(N_ITEMS)))
    return TrainingData(catalogue=catalogue, histories=histories, now=9 * DAY)


def by_kind(right: bool) -> np.ndarray:
    """Vectors that are near for items of one kind, or that tell nothing of it."""
    rng = np.random.default_rng(1)
    kinds = np.arange(N_ITEMS) % 2 if right else rng.integers(0, 2, N_ITEMS)
    vectors = np.eye(2)[kinds] + rng.normal(0, 0.05, (N_ITEMS, 2))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def yardstick():
    return make_yardstick(tastes(), Params())


def test_nothing_that_is_judged_may_be_learnt_from(yardstick) -> None:
    learnt, data = yardstick.learnable(), yardstick.data
    cold = np.flatnonzero(yardstick.splits[COLD].candidates)
    assert learnt.times.max() <= yardstick.splits[LIKES].cut < data.histories.times.max()
    assert not np.isin(learnt.items, cold).any()
    assert 0 < len(learnt.items) < len(data.histories.items)


def test_vectors_that_tell_what_people_like_apart_are_better_and_adopted(yardstick) -> None:
    params = Params()
    bad, good = (judge_vectors(by_kind(right), yardstick) for right in (False, True))
    changes = compare_encoders(bad, good, params)
    assert [each.measure for each in changes] == [LIKES, COLD]
    assert all(each.after > each.before and each.low > 0 for each in changes)
    assert all(each.p_value < 0.05 for each in changes)
    assert is_better(changes)
    assert not is_better(compare_encoders(good, bad, params))
    assert not is_better(compare_encoders(good, good, params))


@pytest.mark.parametrize(
    ("likes", "cold", "retrieval", "adopted"),
    [(0.1, 0.0, 0.0, True), (0.1, 0.0, -0.2, False), (0.0, 0.0, 0.3, False), (0.0, 0.1, 0.1, True)],
)
def test_a_gain_in_likes_counts_unless_something_else_is_lost(
    likes: float, cold: float, retrieval: float, adopted: bool
) -> None:
    changes = [
        Change(measure=name, n=9, before=0.5, after=0.5 + gain, difference=gain,
               low=gain - 0.05, high=gain + 0.05, p_value=0.5)
        for name, gain in ((LIKES, likes), (COLD, cold), ("retrieval", retrieval))
    ]  # fmt: skip
    assert is_better(changes) is adopted


def test_texts_are_found_by_questions_that_share_their_words() -> None:
    encoder = build_backend("encoders", "hashing", {})
    texts = [("red fox", "a red fox runs"), ("blue sea", "the deep blue sea"), ("", "lost")]
    found = judge_retrieval(encoder, texts)
    assert found[:2].tolist() == [1.0, 1.0]
    assert found.shape == (3,)
    assert judge_retrieval(encoder, []).shape == (0,)


def test_texts_that_cannot_be_told_apart_are_not_found() -> None:
    encoder = build_backend("encoders", "hashing", {})
    assert judge_retrieval(encoder, [("fox", "fox")] * 4).tolist() == [0.25] * 4


def test_too_few_people_to_judge_by_are_refused() -> None:
    with pytest.raises(DataContractError, match="at least 5 users"):
        make_yardstick(tastes(2), Params())
