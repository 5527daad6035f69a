from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from plmrec.histories import Catalogue, TrainingData
from plmrec.splits import split_cold_items, split_cold_users, split_last
from plmrec.stages.evaluate import evaluate_recipe, judge
from plmrec.stages.judging import item_ages, judge_lists
from plmrec.stages.recipe import fit_recipe
from plmrec.stages.slices import (
    Groups,
    find_gaps,
    group_values,
    judge_item_slices,
    slice_items,
    slice_users,
)
from tests.support.tastes import make_data, make_histories

DATA = make_data(n_users=90, n_items=60)
DAY = 86_400.0


class TestUserSlices:
    def test_users_who_are_not_in_training_are_sliced_by_what_is_told_of_them(self):
        split = split_cold_users(DATA.histories, share=0.3, seed=1)
        rows = np.flatnonzero(np.diff(split.heldout.indptr))
        assert not slice_users(split, rows)["new_users"].any()


class TestItemSlices:
    def test_the_long_tail_begins_where_four_fifths_of_the_likes_end(self):
        # likes in training: item 0 six, item 1 two, item 2 one, item 3 one, item 4 none
        likes = [0] * 6 + [1] * 2 + [2, 3]
        rows = [[(item, 1.0, 1.0), (4, 1.0, 2.0)] for item in likes]
        found = slice_items(split_last(make_histories(rows, 5)))
        assert np.flatnonzero(found["long_tail"]).tolist() == [2, 3, 4]
        assert np.flatnonzero(found["cold"]).tolist() == [4]

    def test_only_held_out_items_of_the_slice_are_relevant(self):
        # user 0 holds out 1 and gets it second; user 1 holds out 2 and misses it
        split = split_last(
            make_histories([[(0, 1.0, 1.0), (1, 1.0, 2.0)], [(0, 1.0, 1.0), (2, 1.0, 2.0)]], 4)
        )
        rows = np.array([0, 1])
        judged = judge_lists(np.array([[3, 1], [3, 1]]), split, rows)
        slices = {
            "one": np.array([False, True, False, False]),
            "both": np.array([False, True, True, False]),
            "neither": np.array([True, False, False, True]),
        }
        found = judge_item_slices(judged, split, rows, slices)
        second = 1 / np.log2(3)
        assert found == {
            "one": {"users": 1.0, "likes": 1.0, "recall@2": 1.0, "ndcg@2": pytest.approx(second)},
            "both": {
                "users": 2.0, "likes": 2.0, "recall@2": 0.5, "ndcg@2": pytest.approx(second / 2),
            },
        }  # fmt: skip


class TestGroups:
    def test_numbers_of_many_values_become_four_bands_of_like_size(self):
        found = group_values([str(age) for age in range(20, 60)])
        assert list(found) == ["20 to 29", "30 to 39", "40 to 49", "50 to 59"]
        assert [int(is_in.sum()) for is_in in found.values()] == [10, 10, 10, 10]

    def test_whole_numbers_and_texts_of_the_same_value_are_one_group(self):
        assert list(group_values([1.0, "1", 2, float("nan"), ""])) == ["1", "2", "unknown"]

    def test_what_tells_nothing_apart_makes_no_groups(self):
        assert group_values(["m"] * 9) == {}
        assert group_values([f"name {n}" for n in range(99)]) == {}
        assert group_values([]) == {}

    def test_a_gap_is_between_the_best_and_the_worst_served(self):
        users = {"gender": {"f": np.arange(6) < 2, "m": np.arange(6) >= 2}}
        gap = find_gaps(np.array([0.5, 0.7, 0.1, 0.3, 0.2, np.nan]), users, min_users=2)["gender"]
        assert gap.gap == pytest.approx(0.6 - 0.2)
        assert gap.groups["m"] == {"users": 3.0, "mean": pytest.approx(0.2)}

    def test_a_gap_needs_two_groups_of_enough_users(self):
        users = {"gender": {"f": np.arange(6) < 2, "m": np.arange(6) >= 2}}
        gap = find_gaps(np.ones(6), users, min_users=3)["gender"]
        assert np.isnan(gap.gap)
        assert set(gap.groups) == {"f", "m"}

    def test_an_evaluation_tells_both(self):
        is_even = np.arange(90) % 2 == 0
        groups = Groups(
            items={"kind video": np.ones(60, dtype=bool)},
            users={"side": {"even": is_even, "odd": ~is_even}},
        )
        split = split_last(DATA.histories)
        recipe = {"backend": "ease", "options": {"l2": 20.0}}
        found = evaluate_recipe(recipe, DATA, split, k=5, groups=groups)
        assert found.item_slices["kind video"]["ndcg@5"] == pytest.approx(found.metrics()["ndcg@5"])
        means = [group["mean"] for group in found.gaps["side"].groups.values()]
        assert found.gaps["side"].gap == pytest.approx(abs(means[0] - means[1]))


class TestColdItems:
    def test_only_cold_items_are_listed_and_counted(self):
        split = split_cold_items(DATA.histories, share=0.3, seed=1)
        before = DATA.with_histories(split.train)
        rows = np.flatnonzero(np.diff(split.heldout.indptr))
        model = fit_recipe({"backend": "content", "options": {}}, before)
        found = judge(model, split, rows, 5, before=before)
        assert split.candidates[found.items].all()
        assert found.coverage == len(np.unique(found.items)) / split.candidates.sum()
        # as many lists drawn from the competing items alone
        draws = np.random.default_rng(1).permuted(
            np.tile(np.flatnonzero(split.candidates), (len(rows), 1)), axis=1
        )
        chance = judge_lists(draws[:, :5], split, rows)
        assert found.means()["ndcg@5"] > 1.5 * chance.means()["ndcg@5"]


class TestAges:
    def test_an_item_is_as_old_as_its_publication_else_its_first_entry(self):
        histories = make_histories([[(1, 1.0, 4 * DAY), (2, 1.0, 8 * DAY)], [(1, 0.0, 9 * DAY)]], 4)
        published = np.array([3 * DAY, np.nan, 12 * DAY, np.nan])
        catalogue = Catalogue(item_ids=tuple("abcd"), published_at=published)
        data = TrainingData(catalogue=catalogue, histories=histories, now=10 * DAY)
        np.testing.assert_array_equal(item_ages(data), [7.0, 6.0, 0.0, np.nan])
        undated = dataclasses.replace(data, catalogue=Catalogue(item_ids=tuple("abcd")))
        np.testing.assert_array_equal(item_ages(undated), [np.nan, 6.0, 2.0, np.nan])
