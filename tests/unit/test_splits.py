from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plmrec.errors import DataContractError
from plmrec.histories import Histories
from plmrec.splits import (
    checked,
    choose_split,
    make_split,
    split_by_time,
    split_cold_items,
    split_cold_users,
    split_last,
    split_random,
)
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

    def test_a_fall_is_told_with_the_split_that_was_taken(self, caplog):
        caplog.set_level(logging.WARNING)
        data = make_data().histories
        choose_split(data, "time", share=0.01, seed=1, min_users=20)
        assert "split last is taken, which leaks what others did later" in caplog.text

    def test_what_judges_enough_users_is_taken_without_a_word(self, caplog):
        caplog.set_level(logging.WARNING)
        choose_split(make_data().histories, "time", share=0.2, seed=1)
        assert not caplog.text

    @pytest.mark.parametrize("kind", ["time", "last", "random", "cold-items", "cold-users"])
    def test_every_split_is_made_by_its_name(self, kind):
        split = make_split(make_data().histories, kind, share=0.2, seed=1)
        assert split.kind == kind
        assert split.n_judged > 0


class TestColdItems:
    DATA = make_data().histories
    SPLIT = split_cold_items(DATA, share=0.25, seed=4)

    def test_a_share_of_the_liked_items_is_held_out(self):
        liked = np.unique(self.DATA.positives().items)
        assert self.SPLIT.candidates.sum() == round(0.25 * len(liked))
        assert set(np.flatnonzero(self.SPLIT.candidates)) <= set(liked)

    def test_training_knows_nothing_of_them(self):
        assert not self.SPLIT.candidates[self.SPLIT.train.items].any()

    def test_all_likes_of_them_are_held_out_and_dislikes_are_not_listed(self):
        cold = self.DATA.keep(self.SPLIT.candidates[self.DATA.items])
        assert entries(self.SPLIT.heldout) == entries(cold.positives())
        assert entries(cold.keep(cold.weights < 0)) <= entries(self.SPLIT.excluded)

    def test_the_seed_decides(self):
        others = [split_cold_items(self.DATA, share=0.25, seed=seed) for seed in (4, 5)]
        assert others[0].digest() == self.SPLIT.digest() != others[1].digest()

    def test_the_detector_finds_one_of_them_in_training(self):
        first = int(np.flatnonzero(self.SPLIT.candidates)[0])
        leaking = make_histories([[(first, -1.0, 1.0)]], self.DATA.n_items)
        with pytest.raises(DataContractError, match="nothing of them in training"):
            checked(dataclasses.replace(self.SPLIT, train=leaking))


class TestColdUsers:
    def test_history_is_told_but_not_learnt_from(self):
        # user 1 has one entry only and cannot be held out
        split = split_cold_users(SMALL, share=0.5, seed=1)
        assert entries(split.train) == {(1, 4)}
        assert entries(split.told) == {(0, 0), (0, 1), (1, 4)}
        assert entries(split.heldout) == {(0, 2)}
        assert entries(split.excluded) == {(0, 0), (0, 1), (0, 3), (1, 4)}

    def test_a_share_of_the_users_is_held_out(self):
        split = split_cold_users(make_data(n_users=60).histories, share=0.25, seed=2)
        assert split.n_judged == 15
        assert not set(split.train.users) & set(split.heldout.users)

    def test_of_undated_users_any_like_is_held_out(self):
        data = make_data(dated=False).histories
        split = split_cold_users(data, share=0.5, seed=1)
        held = entries(split.heldout)
        assert len(held) == 30
        assert entries(split.told) | held == entries(data)

    def test_the_detector_finds_a_user_in_training(self):
        split = split_cold_users(SMALL, share=0.5, seed=1)
        with pytest.raises(DataContractError, match="nothing of them in training"):
            checked(dataclasses.replace(split, train=split.told))

    def test_the_detector_finds_what_a_user_did_later(self):
        split = split_cold_users(SMALL, share=0.5, seed=1)
        with pytest.raises(DataContractError, match="wrong side in time"):
            checked(dataclasses.replace(split, known=split.excluded))
