from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from plmrec.errors import ParamsError
from plmrec.histories import Histories
from plmrec.params import Params
from plmrec.stages.choice_model import Choices, fit_weights, join_choices
from plmrec.stages.recipe import fit_recipe
from plmrec.stages.train import evaluation_split, train_recommender
from plmrec.stages.tuning import usable_parts
from tests.support.tastes import make_data

SMALL = {
    "parts": {
        "popularity": {"backend": "popularity"},
        "recent_popularity": {"backend": "recent_popularity"},
        "ease": {"backend": "ease", "options": {"l2": 50.0}},
        "markov_seen": {"backend": "markov", "options": {"reads": "seen"}},
        "content": {"backend": "content"},
    }
}
SPACE = {"ease": {"l2": [5.0, 50.0], "decay_items": [2.0, None]}}
PARAMS = Params.model_validate({"training": {"options": SMALL, "space": SPACE, "trials": 4}})


class TestTraining:
    def test_the_same_data_and_params_give_the_same_recipe_and_scores(self):
        data = make_data()
        one, two = (train_recommender(data, PARAMS) for _ in range(2))
        assert one.recipe == two.recipe
        np.testing.assert_array_equal(
            one.recommender.score(data.histories), two.recommender.score(data.histories)
        )

    def test_the_recipe_alone_makes_the_same_recommender(self):
        data = make_data()
        result = train_recommender(data, PARAMS)
        again = fit_recipe(result.recipe, data)
        np.testing.assert_array_equal(
            again.score(data.histories), result.recommender.score(data.histories)
        )

    def test_the_evaluations_held_out_part_does_not_reach_tuning(self):
        data = make_data(n_users=120)
        split = evaluation_split(data, PARAMS)
        assert split.kind == "time"
        first = np.minimum.reduceat(data.histories.times, data.histories.indptr[:-1])
        later = (first > split.cut)[data.histories.users]  # users who are wholly held out
        assert later.any()
        items = np.where(later, (data.histories.items + 1) % 38, data.histories.items)
        changed = data.with_histories(dataclasses.replace(data.histories, items=items))
        assert evaluation_split(changed, PARAMS).digest() != split.digest()
        one, two = (train_recommender(each, PARAMS) for each in (data, changed))
        assert one.recipe == two.recipe
        one_tried, two_tried = (
            [{**trial, "seconds": 0.0} for trial in result.trials] for result in (one, two)
        )
        assert one_tried == two_tried

    def test_taste_is_found_where_there_is_some(self):
        data = make_data(n_users=200, n_items=60, n_cold=0)
        result = train_recommender(data, PARAMS)
        rows = {row["part"]: row["ndcg@10"] for row in result.validation}
        assert rows["blend"] > 2 * rows["popularity"]

    def test_progress_ends_at_its_total(self):
        told = []
        train_recommender(make_data(), PARAMS, progress=lambda *done: told.append(done))
        assert [done for done, _ in told] == list(range(1, len(told) + 1))
        assert told[-1][0] == told[-1][1]

    @pytest.mark.parametrize("kind", ["undated", "few users", "nothing liked", "no users"])
    def test_poor_data_still_give_a_recommender(self, kind: str):
        data = make_data()
        data = {
            "undated": make_data(dated=False),
            "few users": make_data(n_users=3),
            "nothing liked": data.with_histories(data.histories.keep(~data.histories.is_positive)),
            "no users": data.with_histories(Histories.empty((), data.catalogue.n_items)),
        }[kind]
        result = train_recommender(data, PARAMS)
        assert np.isfinite(result.recommender.score(make_data().histories)).all()
        assert result.split_kind == ("random" if kind == "undated" else "none")

    def test_unknown_options_are_named(self):
        params = Params.model_validate({"training": {"options": {"partz": {}}}})
        with pytest.raises(ParamsError, match="partz"):
            train_recommender(make_data(), params)


class TestUsableParts:
    def test_what_needs_times_or_dislikes_is_left_out_without_them(self):
        from plmrec.recommenders.blend import Options

        data = make_data(dated=False)
        liked = data.histories.positives()
        kept = usable_parts(Options(), liked)
        assert {"trend", "markov", "markov_seen", "ease_seen", "als_seen"}.isdisjoint(kept)
        assert {"popularity", "recent_popularity", "ease", "item_knn", "als"} <= set(kept)


class TestChoiceModel:
    def test_recovers_the_weights_that_made_the_choices(self):
        rng = np.random.default_rng(0)
        truth, features, starts = np.array([1.5, -0.7, 0.0]), [], []
        for _ in range(4000):
            options = rng.normal(size=(6, 3))
            odds = np.exp(options @ truth)
            chosen = rng.choice(6, p=odds / odds.sum())
            starts.append(6 * len(features))
            features.append(np.concatenate([options[[chosen]], np.delete(options, chosen, 0)]))
        choices = Choices(
            np.concatenate(features).astype(np.float32), np.array(starts), np.ones(len(starts))
        )
        found = fit_weights(choices, prior=np.zeros(3), l2=0.1)
        np.testing.assert_allclose(found, truth, atol=0.08)

    def test_stays_where_it_was_without_evidence(self):
        none = Choices(np.zeros((0, 2), np.float32), np.zeros(0, np.int64), np.zeros(0))
        prior = np.array([0.3, 0.1])
        assert fit_weights(none, prior=prior, l2=1.0).tolist() == [0.3, 0.1]

    def test_joined_choices_have_the_shares_asked_for(self):
        one, two = (
            Choices(np.zeros((2 * n, 1), np.float32), np.arange(0, 2 * n, 2), np.ones(n))
            for n in (3, 10)
        )
        joined = join_choices([one, two], [0.75, 0.25])
        assert joined.weights[:3].sum() == pytest.approx(0.75 * 13)
        assert joined.weights[3:].sum() == pytest.approx(0.25 * 13)
        assert joined.starts.tolist() == [*range(0, 26, 2)]
