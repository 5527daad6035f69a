from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plmrec.errors import DataContractError
from plmrec.histories import Histories
from plmrec.splits import checked, choose_split, split_by_time, split_last, split_random
from tests.support.tastes import make_data, make_histories


def entries(histories: Histories) -> set[tuple[int, int]]:
    return set(zip(histories.users.tolist(), histories.items.tolist(), strict=True))


# user 0: likes 0, dislikes 1, likes 2, dislikes 3; user 1: likes 4 only
SMALL = make_histories(
    [[(0, 1.0, 10.0), (1, -1.0, 20.0), (2, 1.0, 30.0), (3, -1.0, 40.0)], [(4, 1.0, 35.0)]], 5
)


class TestLast:
    def test_holds_out_the_last_liked_item(self):
        assert entries(split_last(SMALL).heldout) == {(0, 2)}

    def test_training_ends_before_it_but_later_entries_are_not_listed(self):
        split = split_last(SMALL)
        assert entries(split.train) == {(0, 0), (0, 1), (1, 4)}
        assert entries(split.excluded) == {(0, 0), (0, 1), (0, 3), (1, 4)}


class TestByTime:
    def test_cuts_all_users_at_one_moment(self):
        split = split_by_time(SMALL, share=0.5)
        assert entries(split.train) == {(0, 0), (0, 1), (0, 2)}
        assert entries(split.heldout) == {(1, 4)}
        assert split.train.times.max() <= split.cut < split.heldout.times.min()

    def test_undated_entries_may_be_learnt_from(self):
        data = make_histories([[(0, 1.0, np.nan), (1, 1.0, 5.0), (2, 1.0, 9.0)]], 3)
        assert entries(split_by_time(data, share=0.5).train) == {(0, 0), (0, 1)}


class TestRandom:
    def test_holds_out_one_like_of_each_user_who_has_two(self):
        split = split_random(SMALL, seed=1)
        assert split.n_judged == 1
        assert entries(split.heldout) <= {(0, 0), (0, 2)}
        assert entries(split.train) | entries(split.heldout) == entries(SMALL)

    def test_the_seed_decides(self):
        data = make_data(dated=False).histories
        digests = [split_random(data, seed=seed).digest() for seed in (1, 1, 2)]
        assert digests[0] == digests[1] != digests[2]


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 9), st.sampled_from([-1.0, 0.0, 1.0]), st.integers(0, 5)),
            unique_by=lambda entry: entry[0],
            max_size=8,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_no_split_loses_or_leaks_an_entry(rows):
    data = make_histories([[(i, w, float(t)) for i, w, t in row] for row in rows], 10)
    for split in (split_by_time(data, share=0.3), split_last(data), split_random(data, seed=0)):
        train, heldout = entries(split.train), entries(split.heldout)
        assert not train & heldout
        assert not entries(split.excluded) & heldout
        assert train <= entries(split.excluded)
        assert (split.heldout.weights > 0).all()
        if split.kind != "time":
            assert entries(split.excluded) | heldout == entries(data)


class TestLeakDetector:
    def test_finds_a_held_out_item_in_training(self):
        split = split_last(SMALL)
        with pytest.raises(DataContractError, match="outside training"):
            checked(dataclasses.replace(split, train=SMALL))

    def test_finds_training_after_the_moment(self):
        split = split_by_time(SMALL, share=0.5)
        with pytest.raises(DataContractError, match="wrong side in time"):
            checked(dataclasses.replace(split, cut=15.0))

    def test_finds_training_after_a_users_held_out_item(self):
        split = split_last(SMALL)
        with pytest.raises(DataContractError, match="wrong side in time"):
            checked(dataclasses.replace(split, train=split.excluded))


class TestChoice:
    def test_data_without_times_fall_back_to_random(self):
        data = make_data(dated=False).histories
        assert choose_split(data, "time", share=0.2, seed=1).kind == "random"

    def test_too_few_late_users_fall_back_to_last(self):
        data = make_data().histories
        assert choose_split(data, "time", share=0.2, seed=1).kind == "time"
        assert choose_split(data, "time", share=0.01, seed=1, min_users=20).kind == "last"
