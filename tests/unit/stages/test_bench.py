from __future__ import annotations

import json

import numpy as np
import pytest

from plmrec.errors import DataContractError, ParamsError
from plmrec.histories import Histories
from plmrec.params import Params
from plmrec.recommenders.blend import Part
from plmrec.splits import make_split
from plmrec.stages.bench_models import (
    Contender,
    choose_names,
    contenders,
    needs_texts,
    variant_params,
    variants,
)
from plmrec.stages.bench_result import (
    choose_reference,
    compare_all,
    describe,
    describe_versus,
)
from plmrec.stages.bench_runs import (
    Bed,
    Figures,
    make_bed,
    reseed,
    run_contender,
    run_release,
    run_variant,
    without_texts,
)
from plmrec.stages.slices import Groups
from tests.support.tastes import make_data

DATA = make_data(n_users=90, n_items=60)
PARTS = {"popularity": Part(backend="popularity"), "ease": Part(backend="ease"),
         "content": Part(backend="content")}  # fmt: skip
PARAMS = Params.model_validate(
    {
        "training": {
            "options": {"parts": {name: part.model_dump() for name, part in PARTS.items()}},
            "trials": 3,
        },
        "evaluation": {"resamples": 100},
    }
)
RECIPE = {"backend": "blend", "options": {"parts": PARAMS.training.options["parts"]}}


def bed_of(kind: str, n_seeds: int = 1) -> Bed:
    split = make_split(DATA.histories, kind, share=0.2, seed=1)
    return make_bed(DATA, split, PARAMS, groups=Groups(), k=5, n_seeds=n_seeds)


@pytest.fixture(scope="module")
def bed() -> Bed:
    return bed_of("last")


@pytest.fixture(scope="module")
def judged(bed: Bed) -> dict[str, Figures]:
    return {name: run_contender(contenders()[name], bed) for name in ("popularity", "ease")}


@pytest.fixture(scope="module")
def release(bed: Bed) -> Figures:
    return run_release(bed)


class TestModels:
    def test_names_come_in_the_order_of_a_report(self):
        assert choose_names(["release", "ease", "popularity"]) == ["popularity", "ease", "release"]
        assert choose_names([])[-1] == "release"

    def test_an_unknown_name_is_told(self):
        with pytest.raises(ParamsError, match=r"got \['easy'\]"):
            choose_names(["easy"])

    @pytest.mark.parametrize("contender", contenders().values(), ids=lambda each: each.name)
    def test_backends_know_the_options(self, contender: Contender):
        from plmrec.backends import load_backend
        from plmrec.stages.search_space import check_space

        module = load_backend("recommenders", contender.part.backend)
        module.Options.model_validate(contender.part.options)
        check_space({contender.part.backend: dict(contender.space)}, {}, {"it": contender.part})

    def test_what_says_nothing_without_texts(self):
        assert needs_texts(Part(backend="text_tower"))
        assert not needs_texts(Part(backend="content"))  # has titles and labels left
        assert needs_texts(Part(backend="sasrec", options={"items": "text"}))
        assert not needs_texts(Part(backend="sasrec"))  # items have vectors of their own, too
        assert not needs_texts(Part(backend="carried"))


class TestVariants:
    def test_leave_out_texts_then_all_else_then_each_part(self):
        found = variants(RECIPE, "parts")
        assert [(each.name, list(each.parts), each.with_texts) for each in found] == [
            ("without vectors", ["popularity", "ease", "content"], False),
            ("only texts", ["content"], True),
            ("without popularity", ["ease", "content"], True),
            ("without ease", ["popularity", "content"], True),
            ("without content", ["popularity", "ease"], True),
        ]
        assert variants(RECIPE, "texts") == found[:2]
        assert variants(RECIPE, "none") == []

    def test_their_training_searches_nothing_and_forgets_the_weights(self):
        recipe = {"backend": "blend", "options": {**RECIPE["options"], "weights": {"ease": 1.0}}}
        training = variant_params(variants(recipe, "texts")[0], recipe, PARAMS).training
        assert training.space == training.starts == {}
        assert training.options["weights"] == {}
        assert list(training.options["parts"]) == ["popularity", "ease", "content"]


class TestRuns:
    def test_a_model_is_judged_with_what_it_costs(self, judged: dict[str, Figures], bed: Bed):
        found = describe(judged["ease"], bed)
        assert found["status"] == "ok"
        assert found["metrics"]["ndcg@5"] > describe(judged["popularity"], bed)["metrics"]["ndcg@5"]
        low, high = found["intervals"]["ndcg@5"][1:]
        assert low < found["metrics"]["ndcg@5"] < high
        assert min(found[cost] for cost in ("tune_s", "fit_s", "score_s", "peak_mb")) >= 0.0
        json.dumps(found, allow_nan=False)

    def test_a_classic_does_not_weigh_by_recency(self, judged: dict[str, Figures]):
        assert judged["ease"].recipe["options"]["decay_items"] is None

    def test_a_model_that_cannot_be_had_says_why(self, bed: Bed):
        lacking = Contender(name="lacking", family="classic", part=Part(backend="lacking"))
        found = run_contender(lacking, bed)
        assert found.judgement is None
        assert "got 'lacking'" in found.reason
        assert describe(found, bed)["status"] == "left out"

    def test_models_that_draw_numbers_are_fitted_with_every_seed(self):
        als = Contender(name="als", family="classic", part=Part(backend="als", options={"l2": 0.1}))
        found = run_contender(als, bed_of("last", n_seeds=2))
        first, second = found.seed_means
        assert first != second
        assert found.judgement is not None
        assert found.judgement.means()["ndcg@5"] == pytest.approx(
            (first["ndcg@5"] + second["ndcg@5"]) / 2
        )

    def test_the_others_are_fitted_once(self):
        found = run_contender(contenders()["popularity"], bed_of("last", n_seeds=3))
        assert len(found.seed_means) == 1

    def test_seeds_move_wherever_they_are(self):
        parts = {"a": {"backend": "als", "options": {"seed": 3}}, "b": {"backend": "popularity"}}
        moved = reseed({"backend": "blend", "options": {"parts": parts}}, 2)
        assert moved is not None
        assert moved["options"]["parts"]["a"]["options"]["seed"] == 5
        within = {"backend": "als", "options": {"seed": 3}}
        carried = reseed({"backend": "carried", "options": within}, 2)
        assert carried is not None
        assert carried["options"]["options"]["seed"] == 5
        assert reseed({"backend": "popularity", "options": {}}, 2) is None

    @pytest.mark.parametrize("kind", ["time", "random", "cold-items", "cold-users"])
    def test_every_protocol_can_be_run(self, kind: str):
        found = run_contender(contenders()["content"], bed_of(kind))
        assert found.judgement is not None
        assert 0.0 < found.judgement.means()["ndcg@5"] <= 1.0

    def test_a_split_that_judges_nobody_is_refused(self):
        nobody = Histories.empty(("u",), DATA.catalogue.n_items)
        split = make_split(nobody, "last", share=0.2, seed=1)
        with pytest.raises(DataContractError, match="users to judge"):
            make_bed(DATA, split, PARAMS, groups=Groups(), k=5, n_seeds=1)


class TestRelease:
    def test_it_is_trained_on_the_training_side_alone(self, release: Figures):
        assert release.judgement is not None
        assert set(release.recipe["options"]["parts"]) == set(PARTS)

    def test_without_texts_none_can_be_read(self, release: Figures, bed: Bed):
        assert without_texts(bed.before).catalogue.vectors is None
        variant = variants(release.recipe, "texts")[0]
        found = run_variant(variant, release.recipe, bed)
        assert found.judgement is not None
        assert list(found.recipe["options"]["parts"]) == ["popularity", "ease", "content"]
        # lists are judged by the texts all the same
        assert np.isfinite(found.judgement.means()["diversity@5"])


class TestComparison:
    def test_the_release_is_compared_with_each_other(
        self, judged: dict[str, Figures], release: Figures, bed: Bed
    ):
        figures = [*judged.values(), release]
        assert choose_reference(figures) is release
        assert choose_reference(list(judged.values())) is judged["popularity"]
        found = compare_all(release, figures, bed)
        assert [each.model for each in found] == ["popularity", "ease"]
        means = [
            each.judgement.means()["ndcg@5"]
            for each in (release, judged["popularity"])
            if each.judgement is not None
        ]
        assert found[0].difference.mean == pytest.approx(means[0] - means[1])
        assert found[0].ratio.mean == pytest.approx(means[0] / means[1])
        assert all(each.p <= each.p_holm <= 1.0 for each in found)
        json.dumps([describe_versus(each) for each in found], allow_nan=False)

    def test_nothing_is_compared_with_what_failed(self, judged: dict[str, Figures], bed: Bed):
        failed = Figures(name="als", family="classic", reason="no")
        assert choose_reference([failed]) is None
        assert compare_all(judged["ease"], [failed], bed) == []
