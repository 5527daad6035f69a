from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from plmrec.errors import ParamsError
from plmrec.histories import Histories
from plmrec.params import Params
from plmrec.recommenders.blend import Options
from plmrec.splits import split_by_time, split_last
from plmrec.stages.choice_model import Choices, collect_choices, fit_weights, join_choices
from plmrec.stages.recipe import fit_recipe
from plmrec.stages.train import evaluation_split, train_recommender
from plmrec.stages.tuning import usable_parts
from plmrec.stages.weighing import weigh_for_new, weights_of
from plmrec.stages.windows import windows_of_known, windows_of_new
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
    def test_what_needs_times_is_left_out_without_them(self):
        kept = usable_parts(Options(), make_data(dated=False).histories)
        assert {"recent_popularity", "month", "week", "trend", "markov", "sasrec"}.isdisjoint(kept)
        assert {"popularity", "ease", "item_knn", "als", "carried", "content"} <= set(kept)

    def test_something_is_always_left(self):
        options = Options.model_validate({"parts": {"markov": {"backend": "markov"}}})
        assert list(usable_parts(options, make_data(dated=False).histories)) == ["markov"]


def made_up_choices(truth: list[float], *, n_users: int = 4000, n_items: int = 6) -> Choices:
    """Users who each chose one of a few items, with the odds of some weights."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n_users, n_items, len(truth)))
    odds = np.exp(features @ np.array(truth))
    chosen = np.zeros((n_users, n_items))
    for user in range(n_users):
        chosen[user, rng.choice(n_items, p=odds[user] / odds[user].sum())] = 1.0
    return Choices(
        features=features.reshape(-1, len(truth)).astype(np.float32),
        starts=np.arange(0, n_users * n_items, n_items),
        chosen=chosen.ravel(),
        stands_for=np.ones(n_users * n_items),
        contexts=np.zeros(n_users, dtype=np.int8),
        weights=np.ones(n_users),
    )


class TestChoiceModel:
    def test_recovers_the_weights_that_made_the_choices(self):
        found = fit_weights(made_up_choices([1.5, -0.7, 0.0]), prior=np.zeros(3), l2=0.1)
        np.testing.assert_allclose(found, [1.5, -0.7, 0.0], atol=0.08)

    def test_an_item_that_stands_for_many_counts_as_many(self):
        one = made_up_choices([0.8], n_users=200, n_items=3)
        doubled = dataclasses.replace(one, stands_for=np.tile([1.0, 1.0, 4.0], 200))
        rows = np.repeat(np.arange(600), np.where(np.arange(600) % 3 == 2, 4, 1))
        first = np.append(True, rows[1:] != rows[:-1])
        spelt_out = dataclasses.replace(
            one,
            features=one.features[rows],
            starts=np.arange(0, 1200, 6),
            chosen=np.where(first, one.chosen[rows], 0.0),
            stands_for=np.ones(1200),
        )
        found = [fit_weights(each, prior=np.zeros(1), l2=1.0) for each in (doubled, spelt_out)]
        np.testing.assert_allclose(*found, rtol=1e-3)

    def test_a_user_of_double_weight_counts_as_two(self):
        one, two = made_up_choices([0.5], n_users=50), made_up_choices([-0.5], n_users=50)
        weighed = join_choices([dataclasses.replace(one, weights=2.0 * one.weights), two])
        found = [
            fit_weights(each, prior=np.zeros(1), l2=1.0)
            for each in (weighed, join_choices([one, two, one]))
        ]
        np.testing.assert_allclose(*found, rtol=1e-3)

    def test_taking_users_takes_their_items(self):
        choices = made_up_choices([1.0, 0.0], n_users=5)
        some = choices.take(np.array([False, True, False, False, True]))
        assert some.starts.tolist() == [0, 6]
        np.testing.assert_array_equal(some.features[6:], choices.features[24:])

    def test_stays_where_it_was_without_evidence(self):
        none = made_up_choices([0.0, 0.0], n_users=0)
        prior = np.array([0.3, 0.1])
        assert fit_weights(none, prior=prior, l2=1.0).tolist() == [0.3, 0.1]

    def test_the_sample_stands_for_the_whole_catalogue(self):
        data = make_data(n_users=40, n_items=600, n_cold=0, per_user=14)
        split = split_last(data.histories)
        options = {"parts": {"popularity": {"backend": "popularity"}, "ease": {"backend": "ease"}}}
        model = fit_recipe({"backend": "blend", "options": options}, data)
        rows = np.flatnonzero(np.diff(split.heldout.indptr))
        choices = collect_choices(model, split, rows)
        sizes = np.add.reduceat(choices.stands_for, choices.starts)
        excluded = split.excluded.take(rows).keep(model.liked[split.excluded.take(rows).items])
        expected = model.liked.sum() - np.diff(excluded.indptr)
        np.testing.assert_allclose(sizes, expected, rtol=1e-6)
        assert np.add.reduceat(choices.chosen, choices.starts).tolist() == [1.0] * len(rows)


class TestWeighing:
    def test_users_in_fashion_and_users_of_taste_get_weights_of_their_own(self):
        """Weights of a context follow its own users where there are enough of them."""
        taste, fashion = made_up_choices([2.0, 0.0], n_users=500), made_up_choices([0.0, 2.0])
        fashion = dataclasses.replace(fashion, contexts=np.ones(fashion.n_users, dtype=np.int8))
        parts = {"ease": {"backend": "ease"}, "popularity": {"backend": "popularity"}}
        options = Options.model_validate({"parts": parts})
        found = weights_of(join_choices([taste, fashion]), options, 1.0)
        assert found["recent"]["ease"] > found["recent"]["popularity"] + 1.0
        assert found["away"]["popularity"] > found["away"]["ease"] + 1.0
        assert set(found) == {"recent", "away"}

    def test_new_users_are_weighed_by_what_users_liked_who_came_after_moments_of_the_past(self):
        data = make_data(n_users=400, n_items=60, n_cold=0)
        new = windows_of_new(Options(), data, Params())
        assert len(new) > 1
        for bench in new:
            assert not np.diff(bench.split.train.take(bench.rows).indptr).any()
            assert "ease" not in bench.model.parts
        found = weigh_for_new(new, Options(), Params())["new"]
        assert found["ease"] == 0.0
        assert found["popularity"] != 0.0
        assert weigh_for_new([], Options(), Params()) == {}

    def test_windows_of_known_users_leave_the_validation_window_out(self):
        data = make_data(n_users=400, n_items=60, n_cold=0)
        data = dataclasses.replace(  # everybody stays to the end
            data, histories=dataclasses.replace(
                data.histories, times=1.6e9 + 86_400.0 * np.tile(np.arange(9.0), 400)
            )
        )  # fmt: skip
        parts = {"popularity": {"backend": "popularity"}}
        options = Options.model_validate({"parts": parts})
        by_time = Params.model_validate({"training": {"validation": "time"}})
        cuts = [
            {b.split.cut for b in windows_of_known(options, data, params, weight=1.0)}
            for params in (Params(), by_time)
        ]
        assert cuts[0]
        assert split_by_time(data.histories, share=0.2).cut not in cuts[1]
