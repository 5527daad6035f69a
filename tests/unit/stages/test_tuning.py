from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest

from plmrec.errors import ParamsError
from plmrec.params import Range
from plmrec.recommenders.blend import Part
from plmrec.splits import split_last, split_random
from plmrec.stages import part_search
from plmrec.stages.part_search import Panel
from plmrec.stages.studies import open_storage
from plmrec.stages.tuning import Search, count_steps, draw_judged, measure, tune_parts
from tests.support.tastes import make_data

PARTS = {
    "popularity": Part(backend="popularity"),
    "ease": Part(backend="ease", options={"l2": 5000.0}),
    "markov": Part(backend="markov", options={"decay_items": 50.0}),
}
SEARCH = Search(
    space={
        "ease": {
            "l2": Range(low=1, high=5000, log=True),
            "decay_items": Range(low=1, high=50, log=True),
        },
        "markov": {"decay_items": (1.0, 4.0, 16.0)},
    },
    trials=8,
)


@pytest.fixture(scope="module")
def data():
    return make_data(n_users=160, n_items=60)


def tune(data, search=SEARCH, *, split=None, step=lambda: None, parts=PARTS):
    split = split or split_last(data.histories)
    return tune_parts(
        data.with_histories(split.train),
        split,
        parts=parts,
        search=search,
        rows=draw_judged(split, 2000, seed=7),
        k=10,
        step=step,
    )


class Killed(Exception):
    """Stands for the end of the process."""


def kill_at(n: int):
    steps = []

    def step() -> None:
        steps.append(0)
        if len(steps) == n:
            raise Killed

    return step


class TestTuneParts:
    def test_the_same_arguments_give_the_same_trials_and_scores(self, data):
        (parts, fitted, trials), (again, fitted_again, trials_again) = tune(data), tune(data)
        assert parts == again
        assert trials == trials_again
        for name, model in fitted.items():
            np.testing.assert_array_equal(
                model.score(data.histories), fitted_again[name].score(data.histories)
            )

    def test_another_seed_tries_other_settings(self, data):
        _, _, trials = tune(data)
        _, _, others = tune(data, dataclasses.replace(SEARCH, seed=8))
        ease, other_ease = (
            [t.options for t in each if t.part == "ease"] for each in (trials, others)
        )
        assert ease[0] == other_ease[0]
        assert ease[1:] != other_ease[1:]

    def test_the_models_are_fitted_with_the_options_chosen(self, data):
        split = split_last(data.histories)
        parts, fitted, trials = tune(data)
        rows = draw_judged(split, 2000, seed=7)
        for name, part in parts.items():
            (chosen,) = [t for t in trials if t.part == name and t.is_chosen]
            assert part.options == {**PARTS[name].options, **chosen.options}
            new = part_search.fit_part(part, data.with_histories(split.train))
            np.testing.assert_array_equal(new.score(split.train), fitted[name].score(split.train))
            assert measure(new, split, rows, 10) == pytest.approx(chosen.ndcg)

    def test_trials_tell_what_ended_the_search(self, data):
        _, _, trials = tune(data)
        ends = {t.part: (t.number, t.ended_by) for t in trials if t.ended_by}
        assert ends == {
            "popularity": (0, "space"),
            "ease": (7, "trials"),
            "markov": (3, "space"),  # its own 50 and the three of the space
        }

    def test_single_backends_may_have_fewer_trials(self, data):
        _, _, trials = tune(data, dataclasses.replace(SEARCH, trials_of={"ease": 3}))
        assert [t.number for t in trials if t.part == "ease"] == [0, 1, 2]

    def test_what_a_part_wraps_is_tuned(self, data):
        parts = {"a": Part(backend="carried", options={"backend": "ease", "options": {"l2": 9e3}})}
        tuned, _, trials = tune(data, parts=parts)
        assert trials[0].options["options.l2"] == 9e3
        assert len({t.options["options.l2"] for t in trials}) > 1
        (chosen,) = [t.options for t in trials if t.is_chosen]
        assert tuned["a"].options["options"] == {
            "l2": chosen["options.l2"],
            "decay_items": chosen["options.decay_items"],
        }

    def test_without_time_every_part_stays_as_it_came(self, data, caplog):
        caplog.set_level(logging.WARNING)
        parts, _, trials = tune(data, dataclasses.replace(SEARCH, budget_s=0.0))
        assert {name: len([t for t in trials if t.part == name]) for name in PARTS} == {
            "popularity": 1,
            "ease": 1,
            "markov": 1,
        }
        assert parts["ease"].options == {"l2": 5000.0, "decay_items": 10.0}
        assert [t.ended_by for t in trials] == ["space", "budget", "budget"]
        assert "ended the search for ease after 1 of 8 settings" in caplog.text

    @pytest.mark.parametrize("budget_s", [0.0, 1e6])
    def test_steps_are_as_many_as_were_told(self, data, budget_s):
        search, steps = dataclasses.replace(SEARCH, budget_s=budget_s), []
        tune(data, search, step=lambda: steps.append(0))
        assert len(steps) == count_steps(PARTS, search) == 1 + 8 + 8

    def test_an_unknown_option_is_named_before_anything_is_fitted(self, data, monkeypatch):
        monkeypatch.setattr(part_search, "fit_part", None)
        search = dataclasses.replace(SEARCH, space={"ease": {"l3": (1.0,)}})
        with pytest.raises(ParamsError, match=r"training\.space\.ease\.l3"):
            tune(data, search)

    def test_no_users_to_judge_by_leave_all_as_it_came(self, data):
        split = split_last(data.histories)
        parts, _, _ = tune_parts(
            data.with_histories(split.train), split, parts=PARTS, search=SEARCH,
            rows=np.zeros(0, dtype=np.int64), k=10, step=lambda: None,
        )  # fmt: skip
        assert parts["ease"].options["l2"] == 5000.0


class TestBudget:
    def test_what_a_cheap_part_leaves_is_the_dear_ones(self, data, monkeypatch):
        now, fitted = [0.0], []

        def fit(part, _data):
            fitted.append(part.backend)
            now[0] += {"popularity": 0.0, "ease": 10.0, "item_knn": 1.0}[part.backend]
            return part

        def judge(_panel, _model, _best):
            return np.full(9, 0.5), False

        monkeypatch.setattr(part_search, "fit_part", fit)
        monkeypatch.setattr(Panel, "judge", judge)
        axis = Range(low=1, high=5000)
        search = Search(
            space={"ease": {"l2": axis}, "item_knn": {"shrinkage": axis}},
            trials=6,
            budget_s=50.0,
            clock=lambda: now[0],
        )
        parts = {name: Part(backend=name) for name in ("popularity", "ease", "item_knn")}
        _, _, trials = tune(data, search, parts=parts)
        # 11 s for the own settings; 5 s for the other five of item_knn leave 34 s for ease
        ends = {t.part: (t.number, t.ended_by) for t in trials if t.ended_by}
        assert ends["item_knn"] == (5, "trials")
        assert ends["ease"] == (3, "budget")
        assert now[0] == 11 + 5 + 30


class TestTakenUpAgain:
    @pytest.mark.parametrize("at", [2, 4, 9])
    def test_a_killed_search_goes_on_as_it_would_have(self, data, tmp_path, monkeypatch, at):
        search = dataclasses.replace(SEARCH, store=tmp_path / "tuning" / "a.log")
        judged, judge = [], Panel.judge
        monkeypatch.setattr(Panel, "judge", lambda *each: judged.append(0) or judge(*each))
        with pytest.raises(Killed):
            tune(data, search, step=kill_at(at))
        assert 0 < len(judged) <= at
        steps = []
        parts, _, trials = tune(data, search, step=lambda: steps.append(0))
        assert len(judged) == len(trials)  # of both, so that nothing was judged twice
        assert len(steps) == count_steps(PARTS, search)
        monkeypatch.undo()
        assert (parts, trials) == (tune(data)[0], tune(data)[2])

    def test_a_kill_within_a_trial_costs_that_trial_only(self, data, tmp_path, monkeypatch):
        search = dataclasses.replace(SEARCH, store=tmp_path / "a.log")
        judge, judged = Panel.judge, []

        def die(*each):
            judged.append(0)
            if len(judged) == 7:
                raise Killed
            return judge(*each)

        monkeypatch.setattr(Panel, "judge", die)
        with pytest.raises(Killed):
            tune(data, search)
        monkeypatch.undo()
        assert tune(data, search)[2] == tune(data)[2]

    def test_a_finished_search_is_not_run_again(self, data, tmp_path, monkeypatch):
        search = dataclasses.replace(SEARCH, store=tmp_path / "a.log")
        parts, _, trials = tune(data, search)
        monkeypatch.setattr(Panel, "judge", None)
        again, _, trials_again = tune(data, search)
        assert (again, trials_again) == (parts, trials)

    def test_other_data_parts_or_space_are_never_answered_from_the_file(self, data, tmp_path):
        search = dataclasses.replace(SEARCH, store=tmp_path / "a.log")
        tune(data, search)
        other = split_random(data.histories, seed=3)
        assert tune(data, search, split=other)[2] == tune(data, split=other)[2]
        parts = {"ease": Part(backend="ease", options={"l2": 40.0})}
        assert tune(data, search, parts=parts)[2] == tune(data, parts=parts)[2]
        space = {"ease": {"l2": Range(low=1, high=50)}}
        narrow = dataclasses.replace(SEARCH, space=space)
        kept = dataclasses.replace(narrow, store=search.store)
        assert tune(data, kept)[2] == tune(data, narrow)[2]

    @pytest.mark.parametrize("damage", ["half a line", "not JSON"])
    def test_a_damaged_file_costs_work_but_no_result(self, data, tmp_path, damage):
        search = dataclasses.replace(SEARCH, store=tmp_path / "a.log")
        with pytest.raises(Killed):
            tune(data, search, step=kill_at(6))
        text = search.store.read_bytes()
        search.store.write_bytes(
            text[: len(text) - 9] if damage == "half a line" else b"what?\n" + text
        )
        assert tune(data, search)[2] == tune(data)[2]

    def test_the_file_is_lines_of_json(self, data, tmp_path):
        import json

        search = dataclasses.replace(SEARCH, store=tmp_path / "a.log")
        tune(data, search)
        assert all(isinstance(json.loads(line), dict) for line in search.store.open())

    def test_a_second_search_on_the_file_keeps_to_itself(self, tmp_path):
        from optuna.study import StudyDirection

        with open_storage(tmp_path / "a.log") as one, open_storage(tmp_path / "a.log") as two:
            one.create_new_study([StudyDirection.MAXIMIZE], "s")
            assert [study.study_name for study in two.get_all_studies()] == []
        with open_storage(tmp_path / "a.log") as three:
            assert [study.study_name for study in three.get_all_studies()] == ["s"]
