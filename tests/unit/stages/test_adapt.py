from __future__ import annotations

import numpy as np
import pytest

from plmrec.errors import DataContractError
from plmrec.histories import Histories
from plmrec.params import AdaptationParams
from plmrec.stages.adapt import find_pairs, mix_pairs

DAY = 86_400.0


def histories(*rows: list[tuple[int, float, float]], n_items: int = 10) -> Histories:
    """Rows of item, day, weight, one list per user."""
    entries = [(user, *entry) for user, row in enumerate(rows) for entry in row]
    users, items, days, weights = (np.array(column) for column in zip(*entries, strict=True))
    return Histories.build(
        user_ids=[f"u{n}" for n in range(len(rows))],
        n_items=n_items,
        users=users.astype(np.int64),
        items=items.astype(np.int64),
        weights=weights.astype(np.float64),
        times=days * DAY,
    )


def liked(*items: int, step: float = 1.0) -> list[tuple[int, float, float]]:
    return [(item, step * place, 1.0) for place, item in enumerate(items)]


def pairs_of(found: Histories, **options) -> list[tuple[int, ...]]:
    params = AdaptationParams(**{"min_users": 1, **options})
    return [tuple(sorted(pair)) for pair in find_pairs(found, params, seed=1).tolist()]


def test_items_liked_one_after_the_other_make_pairs_nearer_ones_first() -> None:
    found = pairs_of(histories(liked(0, 1, 2), liked(0, 1, 2)), within_items=2)
    assert set(found) == {(0, 1), (1, 2), (0, 2)}
    assert found[-1] == (0, 2)
    assert set(pairs_of(histories(liked(0, 1, 2)), within_items=1)) == {(0, 1), (1, 2)}


def test_likes_far_apart_in_time_make_no_pair() -> None:
    rows = histories(liked(0, 1, step=40.0), liked(2, 3, step=2.0), liked(3, 4))
    assert set(pairs_of(rows, within_days=30)) == {(2, 3), (3, 4)}


def test_likes_without_times_make_pairs_all_the_same() -> None:
    assert (0, 1) in pairs_of(histories(liked(0, 1, step=np.nan), liked(1, 2, step=np.nan)))


def test_dislikes_make_no_pair() -> None:
    row = [(0, 0.0, 1.0), (1, 1.0, -1.0), (2, 2.0, 1.0), (3, 3.0, 1.0)]
    assert set(pairs_of(histories(row), within_items=1)) == {(0, 2), (2, 3)}


def test_what_everybody_likes_goes_with_nothing_in_particular() -> None:
    rows = [liked(0, number) for number in range(2, 9)] + [liked(1, 9)] * 2 + [liked(1, 9, 0)]
    assert pairs_of(histories(*rows))[0] == (1, 9)


def test_a_pair_needs_users_and_an_item_has_a_limit() -> None:
    rows = histories(liked(0, 1), liked(0, 1), liked(0, 2), liked(0, 2), liked(3, 4), liked(5, 6))
    assert set(pairs_of(rows, min_users=2)) == {(0, 1), (0, 2)}
    limited = pairs_of(rows, pairs_per_item=1)
    assert sorted(item for pair in limited for item in pair) == sorted(
        {item for pair in limited for item in pair}
    )
    assert len(pairs_of(rows, max_pairs=2)) == 2


def test_no_pairs_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DataContractError, match=r"expected at least 2 pairs.*min_users"):
        pairs_of(histories(liked(0, 1), liked(2, 3)), min_users=2)


def test_pairs_of_items_are_mixed_with_texts_of_single_items() -> None:
    pairs = np.array([[0, 1], [2, 0], [1, 2], [0, 2]])
    own = [(f"title {n}", f"text {n}") for n in range(9)]

    def mixed(share: float) -> list[tuple[str, str]]:
        params = AdaptationParams(text_share=share)
        return mix_pairs(pairs, ["a", "b", "c"], own, params, seed=3)

    assert mixed(0) == [("a", "b"), ("c", "a"), ("b", "c"), ("a", "c")]
    assert mixed(0.5)[:4] == mixed(0)
    assert len(set(mixed(0.5)[4:]) & set(own)) == 2
    assert set(mixed(5)[4:]) == set(own)
