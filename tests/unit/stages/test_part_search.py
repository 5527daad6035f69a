from __future__ import annotations

import numpy as np
import pytest

from plmrec.params import Range
from plmrec.recommenders.blend import Part
from plmrec.splits import split_last
from plmrec.stages import part_search
from plmrec.stages.part_search import Panel, PartSearch, fit_part, judge_users, lead, reread
from plmrec.stages.studies import Study, open_storage
from tests.support.tastes import make_data

EASE = Part(backend="ease", options={"l2": 100.0, "decay_items": 10.0})
L2, DECAY = Range(low=10, high=1000, log=True), Range(low=1, high=50, log=True)


class Known:
    """A scorer that knows what is held out, for a share of the users."""

    def __init__(self, split, share: float) -> None:
        self.rows = {u: n for n, u in enumerate(split.train.user_ids)}
        self.split, self.share, self.asked = split, share, 0

    def score(self, histories):
        scores = np.zeros((histories.n_users, histories.n_items), dtype=np.float32)
        self.asked += histories.n_users
        for place, user in enumerate(histories.user_ids):
            row = self.rows[user]
            heldout = self.split.heldout.take(np.array([row])).items
            if (row * 0.618) % 1.0 < self.share:
                scores[place, heldout] = 1.0
            else:
                scores[place, heldout] = -1.0
        return scores


class TestPanel:
    @pytest.fixture
    def panel(self):
        split = split_last(make_data(n_users=400, n_items=60).histories)
        rows = np.flatnonzero(np.diff(split.heldout.indptr))
        return Panel(split=split, rows=np.random.default_rng(0).permutation(rows), k=10)

    def test_a_clearly_worse_setting_is_given_up_after_a_quarter_of_the_users(self, panel):
        best, _ = panel.judge(Known(panel.split, 1.0), None)
        assert best.tolist() == [1.0] * len(panel.rows)
        worse = Known(panel.split, 0.0)
        said, is_pruned = panel.judge(worse, best)
        assert is_pruned
        assert len(said) == worse.asked == len(panel.rows) // 4

    def test_one_that_is_as_good_is_judged_by_all(self, panel):
        best, _ = panel.judge(Known(panel.split, 0.7), None)
        same = Known(panel.split, 0.7)
        said, is_pruned = panel.judge(same, best)
        assert not is_pruned
        np.testing.assert_array_equal(said, best)
        assert same.asked == len(panel.rows)

    def test_users_are_judged_in_the_order_they_are_asked(self, panel):
        said, _ = panel.judge(Known(panel.split, 0.5), None)
        alone = judge_users(Known(panel.split, 0.5), panel.split, panel.rows[:7], 10)
        np.testing.assert_array_equal(said[:7], alone)

    def test_few_users_give_up_nothing(self, panel):
        few = Panel(split=panel.split, rows=panel.rows[:80], k=10)
        best, _ = few.judge(Known(panel.split, 1.0), None)
        _, is_pruned = few.judge(Known(panel.split, 0.0), best)
        assert not is_pruned


class TestLead:
    def test_is_the_t_statistic_of_the_paired_difference(self):
        from scipy.stats import ttest_rel

        rng = np.random.default_rng(0)
        one, other = rng.random(50), rng.random(50)
        assert lead(one, other) == pytest.approx(ttest_rel(one, other).statistic)

    def test_is_infinite_where_all_users_agree_and_0_where_none_differs(self):
        assert lead(np.zeros(3), np.ones(3)) == -np.inf
        assert lead(np.ones(3), np.ones(3)) == 0.0


class TestReread:
    def test_gives_what_a_new_fit_would(self):
        data = make_data()
        other = Part(backend="ease", options={**EASE.options, "decay_items": 2.0})
        read = reread(other, fit_part(EASE, data))
        np.testing.assert_array_equal(
            read.score(data.histories), fit_part(other, data).score(data.histories)
        )
        assert (fit_part(EASE, data).score(data.histories) != read.score(data.histories)).any()

    def test_so_does_it_for_what_a_part_wraps(self):
        data = make_data()
        parts = [
            Part(backend="carried", options={"backend": "ease", "options": {"decay_items": decay}})
            for decay in (10.0, 2.0)
        ]
        read = reread(parts[1], fit_part(parts[0], data))
        np.testing.assert_array_equal(
            read.score(data.histories), fit_part(parts[1], data).score(data.histories)
        )


class FakeWork:
    """Fits and judgements that take the seconds they are told to, on a clock of their own."""

    def __init__(self, monkeypatch, *, fit_s: float, judge_s: float, worth) -> None:
        self.now, self.fit_s, self.judge_s, self.worth = 0.0, fit_s, judge_s, worth
        self.fits = 0
        monkeypatch.setattr(part_search, "fit_part", self.fit)
        monkeypatch.setattr(part_search, "reread", lambda part, _model: part.options)

    def clock(self) -> float:
        return self.now

    def fit(self, part, _data):
        self.fits += 1
        self.now += self.fit_s
        return part.options

    def judge(self, options, _best):
        self.now += self.judge_s
        return self.worth(options), False


def search_for(work: FakeWork, axes, *, limit: int = 20, part=EASE, starts=()) -> PartSearch:
    with open_storage(None) as storage:
        return PartSearch(
            part,
            axes=axes,
            first=[{option: part.options[option] for option in axes}, *starts],
            study=Study(storage, name="ease", axes=axes, seed=1),
            data=None,
            panel=work,
            limit=limit,
            clock=work.clock,
        )


def flat(_options):
    return np.full(30, 0.5)


def higher_l2(options):
    return np.linspace(0.0, 0.1, 30) + np.log(options["l2"]) / 10


class TestPartSearch:
    def test_the_own_setting_comes_first_and_the_limit_ends_the_search(self, monkeypatch):
        work = FakeWork(monkeypatch, fit_s=1, judge_s=1, worth=flat)
        search = search_for(work, {"l2": L2, "decay_items": DECAY}, limit=7)
        search.go_on(1e9, lambda: None)
        assert search.study.outcomes[0].setting == {"l2": 100.0, "decay_items": 10.0}
        assert len(search.study.outcomes) == 7
        assert search.study.ended_by == "trials"

    def test_the_settings_to_start_with_follow(self, monkeypatch):
        work = FakeWork(monkeypatch, fit_s=1, judge_s=1, worth=flat)
        starts = [{"l2": 30.0, "decay_items": 3.0}, {"l2": 40.0, "decay_items": 4.0}]
        search = search_for(work, {"l2": L2, "decay_items": DECAY}, starts=starts)
        search.go_on(1e9, lambda: None)
        tried = [outcome.setting for outcome in search.study.outcomes]
        assert tried[1:3] == starts
        assert len({setting["l2"] for setting in tried[3:]}) > 5

    def test_more_settings_to_start_with_than_the_limit_are_cut_off(self, monkeypatch):
        work = FakeWork(monkeypatch, fit_s=1, judge_s=1, worth=flat)
        search = search_for(work, {"l2": L2}, starts=[{"l2": 30.0}, {"l2": 40.0}], limit=2)
        search.go_on(1e9, lambda: None)
        assert [o.setting["l2"] for o in search.study.outcomes] == [100.0, 30.0]

    def test_better_settings_are_found_and_chosen(self, monkeypatch):
        work = FakeWork(monkeypatch, fit_s=1, judge_s=1, worth=higher_l2)
        search = search_for(work, {"l2": L2})
        search.go_on(1e9, lambda: None)
        assert search.chosen().setting["l2"] > 500
        part, model = search.fitted(search.chosen().setting)
        assert part.options == model == {"l2": search.chosen().setting["l2"], "decay_items": 10.0}

    def test_options_that_only_change_scoring_need_one_fit(self, monkeypatch):
        work = FakeWork(monkeypatch, fit_s=1, judge_s=1, worth=flat)
        search = search_for(work, {"decay_items": DECAY})
        search.go_on(1e9, lambda: None)
        search.fitted(search.chosen().setting)
        assert len({o.setting["decay_items"] for o in search.study.outcomes}) == 20
        assert work.fits == 1

    def test_every_other_setting_reads_the_best_fit_in_another_way(self, monkeypatch):
        work = FakeWork(monkeypatch, fit_s=1, judge_s=1, worth=flat)
        search = search_for(work, {"l2": L2, "decay_items": DECAY})
        search.go_on(1e9, lambda: None)
        assert work.fits == 1 + 10  # the own setting, and numbers 1, 3, ..., 19

    def test_finite_axes_are_tried_in_full_each_setting_once(self, monkeypatch):
        work = FakeWork(monkeypatch, fit_s=1, judge_s=1, worth=flat)
        search = search_for(work, {"decay_items": (10.0, 2.0), "l2": (1.0, 100.0)})
        search.go_on(1e9, lambda: None)
        tried = [(o.setting["l2"], o.setting["decay_items"]) for o in search.study.outcomes]
        assert tried[0] == (100.0, 10.0)
        assert sorted(tried) == [(1.0, 2.0), (1.0, 10.0), (100.0, 2.0), (100.0, 10.0)]
        assert search.study.ended_by == "space"

    def test_the_own_setting_stays_unless_another_is_ahead_by_a_standard_error(self, monkeypatch):
        def by_luck(options):
            lucky = np.where(np.arange(30) % 2, 0.7, 0.31)  # +0.005 on average, error 0.036
            return flat(options) if options["l2"] == 100.0 else lucky

        work = FakeWork(monkeypatch, fit_s=1, judge_s=1, worth=by_luck)
        search = search_for(work, {"l2": L2})
        search.go_on(1e9, lambda: None)
        assert search.study.best().ndcg > search.study.outcomes[0].ndcg
        assert search.chosen() is search.study.outcomes[0]


class TestBudget:
    def test_a_long_fit_is_not_begun_when_it_would_end_too_late(self, monkeypatch):
        work = FakeWork(monkeypatch, fit_s=60, judge_s=1, worth=flat)
        search = search_for(work, {"l2": L2})
        search.try_one()
        search.go_on(work.now + 130, lambda: None)
        assert work.fits == 1 + 2
        assert work.now == 61 + 122
        assert search.study.ended_by == "budget"

    def test_what_is_left_after_the_fits_goes_to_reading_the_best_in_other_ways(self, monkeypatch):
        work = FakeWork(monkeypatch, fit_s=60, judge_s=1, worth=flat)
        search = search_for(work, {"l2": L2, "decay_items": DECAY})
        search.try_one()
        search.go_on(work.now + 70, lambda: None)
        assert work.fits == 1 + 1
        assert len(search.study.outcomes) == 1 + 1 + 9  # 61 s with a fit, 9 of 1 s without
        assert work.now == 61 + 70
        assert search.study.ended_by == "budget"

    def test_no_time_leaves_the_own_setting(self, monkeypatch):
        work = FakeWork(monkeypatch, fit_s=60, judge_s=1, worth=flat)
        search = search_for(work, {"l2": L2})
        search.try_one()
        search.go_on(work.now, lambda: None)
        assert len(search.study.outcomes) == 1
        assert search.study.ended_by == "budget"

    def test_the_work_ahead_is_told_before_it_is_done(self, monkeypatch):
        work = FakeWork(monkeypatch, fit_s=60, judge_s=1, worth=flat)
        search = search_for(work, {"l2": L2}, limit=5)
        assert search.expected_s() == 0
        search.try_one()
        assert search.expected_s() == 4 * 61
