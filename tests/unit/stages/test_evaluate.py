from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from plmrec.errors import DataContractError, ParamsError
from plmrec.params import EvaluationParams, PolicyParams
from plmrec.splits import split_last
from plmrec.stages.compare import Comparison, compare
from plmrec.stages.evaluate import Evaluation, evaluate_recipe
from plmrec.stages.judging import judge_lists
from plmrec.stages.policy import decide
from plmrec.stages.slices import slice_users
from tests.support.tastes import make_data, make_histories

DATA = make_data(n_users=90, n_items=60)
SPLIT = split_last(DATA.histories)
EASE = {"backend": "ease", "options": {"l2": 20.0}}
POPULAR = {"backend": "popularity", "options": {}}
PARAMS = EvaluationParams(resamples=200)


@pytest.fixture(scope="module")
def good() -> Evaluation:
    return evaluate_recipe(EASE, DATA, SPLIT, k=5, with_baselines=True)


@pytest.fixture(scope="module")
def plain() -> Evaluation:
    return evaluate_recipe(POPULAR, DATA, SPLIT, k=5, with_baselines=True)


class TestJudging:
    def test_all_metrics_by_hand_for_one_user(self):
        # items 0..5; trained on 0 (and 1 liked by another user); held out 2 and 3; list 4 2 1
        histories = make_histories(
            [[(0, 1.0, 1.0), (2, 1.0, 8.0), (3, 1.0, 9.0)], [(1, 1.0, 2.0)]], 6
        )
        later = histories.times > 5.0
        split = dataclasses.replace(
            SPLIT,
            kind="time",
            cut=5.0,
            train=histories.keep(~later),
            heldout=histories.keep(later),
            excluded=histories.keep(~later),
        )
        found = judge_lists(np.array([[4, 2, 1]]), split, np.array([0]))
        ideal = 1 + 1 / np.log2(3)
        assert found.means() == pytest.approx(
            {
                "recall@3": 1 / 2,
                "ndcg@3": (1 / np.log2(3)) / ideal,
                "mrr": 1 / 2,
                "hit_rate@3": 1.0,
                # of 6 items two were liked once: (1 + 1) / (2 + 6) and (0 + 1) / (2 + 6), twice
                "novelty@3": (3.0 + 3.0 + 2.0) / 3,
                "accuracy": 2 / 5,  # 5 candidates: hit 2; wrong 4, 1 and 3; 5 rightly left out
                "precision": 1 / 3,
                "recall": 1 / 2,
                "f1": 2 / 5,
                "coverage@3": 3 / 6,
                "gini@3": 3 / 6,  # (1 + 3 + 5) / (6 * 3): three shown once, three never
            }
        )
        assert found.n_cold == 2  # nobody liked 2 or 3 in training
        assert found.cold_recall == 1 / 2
        assert found.cold_share == 2 / 3

    def test_nothing_seen_is_listed_and_all_other_items_compete(self, good: Evaluation):
        assert good.n_judged == SPLIT.n_judged
        assert 0.0 < good.metrics()["recall@5"] <= 1.0


class TestSlices:
    def test_users_are_sliced_by_what_they_liked_in_training(self):
        rows = [[(n, 1.0, float(n)) for n in range(size + 1)] for size in (1, 2, 3, 9, 12, 15)]
        split = split_last(make_histories([*rows, [(0, -1.0, 1.0), (1, 1.0, 2.0)]], 20))
        found = slice_users(split, np.arange(7))
        assert found["light_users"].tolist() == [True, True, False, False, False, False, False]
        assert found["heavy_users"].tolist() == [False, False, False, False, True, True, False]
        assert found["new_users"].tolist() == [False] * 6 + [True]


class TestComparison:
    def test_gains_are_of_the_same_users(self, good: Evaluation, plain: Evaluation):
        found = compare(good, plain, PARAMS, seed=1)
        difference = good.metrics()["ndcg@5"] - plain.metrics()["ndcg@5"]
        gain = found.gains["ndcg@5"]
        assert gain.mean == pytest.approx(difference)
        assert gain.low < difference < gain.high

    def test_is_none_against_itself(self, good: Evaluation):
        assert set(compare(good, good, PARAMS, seed=1).gains["ndcg@5"]) == {0.0}

    def test_is_repeatable_and_json(self, good: Evaluation, plain: Evaluation):
        one, two = (compare(good, plain, PARAMS, seed=1).as_dict() for _ in range(2))
        assert json.dumps(one, allow_nan=False) == json.dumps(two, allow_nan=False)

    def test_refuses_other_held_out_likes(self, good: Evaluation):
        other = evaluate_recipe(
            POPULAR, make_data(seed=9), split_last(make_data(seed=9).histories), k=5
        )
        with pytest.raises(DataContractError, match="same held-out"):
            compare(good, other, PARAMS, seed=1)

    def test_refuses_a_split_that_leaks(self):
        leaky = dataclasses.replace(SPLIT, train=DATA.histories)
        with pytest.raises(DataContractError, match="split last"):
            evaluate_recipe(EASE, DATA, leaky, k=5)

    def test_says_so_when_nobody_can_be_judged(self):
        nobody = split_last(make_histories([[(0, 1.0, 1.0)]], DATA.catalogue.n_items))
        with pytest.raises(DataContractError, match="held-out likes"):
            evaluate_recipe(EASE, DATA, nobody, k=5)


class TestPolicy:
    @pytest.fixture
    def gain(self, good: Evaluation, plain: Evaluation) -> Comparison:
        return compare(good, plain, PARAMS, seed=1)

    @pytest.fixture
    def loss(self, good: Evaluation, plain: Evaluation) -> Comparison:
        return compare(plain, good, PARAMS, seed=1)

    def test_a_better_challenger_is_promoted(self, gain: Comparison):
        found = decide(gain, PolicyParams(significant=True))
        assert found.decision == "promote"
        assert [rule.rule for rule in found.rules][:2] == ["gain", "beats popularity"]

    def test_a_worse_one_is_rejected_with_the_reason(self, loss: Comparison):
        found = decide(loss, PolicyParams(must_beat=()))
        assert found.decision == "reject"
        assert "ndcg@5" in found.reasons[0]
        assert "below" in found.reasons[0]

    def test_a_gain_below_the_minimum_is_not_enough(self, gain: Comparison):
        assert decide(gain, PolicyParams(min_gain=0.9)).decision == "reject"

    def test_a_slice_that_loses_too_much_rejects(self, gain: Comparison):
        users = gain.challenger.slices["light_users"]
        bad = dict(gain.slice_gains["light_users"])
        bad["ndcg@5"] = bad["ndcg@5"]._replace(mean=-0.5)
        worse = dataclasses.replace(gain, slice_gains=gain.slice_gains | {"light_users": bad})
        policy = PolicyParams(min_slice_users=int(users.sum()))
        assert decide(gain, policy).decision == "promote"
        assert decide(worse, policy).decision == "reject"
        few = policy.model_copy(update={"min_slice_users": int(users.sum()) + 100})
        assert decide(worse, few).decision == "promote"

    def test_the_first_release_must_beat_popularity(self, good: Evaluation, plain: Evaluation):
        first, dull = (compare(one, None, PARAMS, seed=1) for one in (good, plain))
        strict = PolicyParams(must_beat=(), first_must_beat=True)
        assert decide(first, strict).decision == "promote"
        found = decide(dull, strict)
        assert found.decision == "reject"
        assert [rule.rule for rule in found.rules] == ["beats popularity"]

    def test_a_first_release_below_popularity_is_better_than_none_and_it_is_said(
        self, plain: Evaluation
    ):
        found = decide(compare(plain, None, PARAMS, seed=1), PolicyParams())
        assert found.decision == "promote"
        assert "not above popularity" in found.reasons[0]

    def test_unknown_metrics_and_baselines_are_named(self, gain: Comparison):
        with pytest.raises(ParamsError, match="bleu"):
            decide(gain, PolicyParams(metric="bleu"))
        with pytest.raises(ParamsError, match="oracle"):
            decide(gain, PolicyParams(must_beat=("oracle",)))

    def test_every_rule_is_json(self, gain: Comparison):
        values = json.loads(json.dumps(decide(gain, PolicyParams()).as_dict(), allow_nan=False))
        assert set(values["rules"][0]) == {"rule", "value", "threshold", "passed", "reason"}
