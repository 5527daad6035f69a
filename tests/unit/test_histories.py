from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp

from plmrec.errors import ShapeError
from plmrec.histories import Catalogue, Histories, ItemTags, TrainingData
from tests.support.tastes import make_data, make_histories

ROWS = [[(2, 1.0, 30.0), (0, -1.0, 10.0)], [], [(1, 0.3, 5.0)]]


def test_entries_are_sorted_by_time_within_a_row():
    data = make_histories(ROWS, 3)
    assert data.indptr.tolist() == [0, 2, 2, 3]
    assert data.items.tolist() == [0, 2, 1]
    assert data.ranks_from_end().tolist() == [1, 0, 0]


def test_rows_can_be_taken_in_any_order_and_twice():
    taken = make_histories(ROWS, 3).take(np.array([2, 0, 0]))
    assert taken.user_ids == ("u2", "u0", "u0")
    assert taken.items.tolist() == [1, 0, 2, 0, 2]


def test_last_time_counts_whatever_was_thought_of_the_item():
    last = make_histories(ROWS, 3).last_times()
    assert last[[0, 2]].tolist() == [30.0, 5.0]
    assert np.isnan(last[1])


def test_the_matrix_holds_at_most_one_per_entry():
    data = make_histories([[(0, 2.5, 1.0), (1, 0.3, 2.0)]], 2)
    np.testing.assert_allclose(data.matrix().toarray(), [[1.0, 0.3]])


def test_the_digest_changes_with_any_part():
    data = make_data()
    others = [
        dataclasses.replace(data, now=data.now + 1),
        data.with_histories(data.histories.keep(data.histories.items > 0)),
        dataclasses.replace(data, catalogue=Catalogue(item_ids=data.catalogue.item_ids)),
    ]
    assert make_data().digest() == data.digest()
    assert len({data.digest(), *(other.digest() for other in others)}) == 4


def test_refuses_histories_over_another_number_of_items():
    with pytest.raises(ShapeError, match="training data"):
        TrainingData(
            catalogue=Catalogue(item_ids=("a",)), histories=Histories.empty(("u",), 2), now=0.0
        )


def test_refuses_a_column_that_is_too_short():
    with pytest.raises(ShapeError, match="catalogue"):
        Catalogue(item_ids=("a", "b"), published_at=np.zeros(1))


def tags_of(n_items: int, n_names: int = 1) -> ItemTags:
    return ItemTags(
        version=1,
        digest="d",
        tag_ids=("t",),
        names=("T",) * n_names,
        vectors=np.eye(1, dtype=np.float32),
        mean=np.zeros(1, dtype=np.float32),
        strengths=sp.csr_matrix((n_items, 1), dtype=np.float32),
    )


def test_refuses_tags_of_other_items_and_tags_without_a_name():
    assert Catalogue(item_ids=("a", "b"), tags=tags_of(2)).n_items == 2
    with pytest.raises(ShapeError, match="expected tags of 2 items, got 3"):
        Catalogue(item_ids=("a", "b"), tags=tags_of(3))
    with pytest.raises(ShapeError, match="expected 1 tags, got 0"):
        tags_of(2, n_names=0)


def test_watch_shares_follow_their_entries():
    found = Histories.build(
        user_ids=["a", "b"],
        n_items=3,
        users=np.array([1, 0, 1]),
        items=np.array([2, 1, 0]),
        weights=np.ones(3),
        times=np.array([2.0, 5.0, 1.0]),
        watch_shares=np.array([0.2, 0.1, 0.3]),
    )
    assert found.watch_shares.tolist() == [0.1, 0.3, 0.2]
    assert found.take(np.array([1, 0])).watch_shares.tolist() == [0.3, 0.2, 0.1]
    assert found.keep(found.items > 0).watch_shares.tolist() == [0.1, 0.2]
    assert dataclasses.replace(found, watch_shares=None).digest() != found.digest()


def test_where_people_only_click_a_click_is_all_the_liking_there_is():
    clicks = make_histories([[(0, 0.3, 1.0), (1, 0.3, 2.0)], [(0, 1.0, 3.0), (2, -1.0, 4.0)]], 3)
    assert clicks.usual_weight() == 0.3
    assert clicks.in_units(0.3).weights.tolist() == [1.0, 1.0, 1.0 / 0.3, -1.0]
    assert Histories.empty(("u",), 3).usual_weight() == 1.0
