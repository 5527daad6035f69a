"""Stage "bench": every model tuned, fitted and judged on the same split, with what it costs."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from plmrec.backends import load_backend
from plmrec.errors import DataContractError, PermanentError
from plmrec.histories import Ints, TrainingData
from plmrec.params import Params
from plmrec.recommenders.base import Recommender
from plmrec.splits import Split, checked, choose_split, split_cold_items
from plmrec.stages.bench_models import RELEASE, Contender, Family, Variant, variant_params
from plmrec.stages.evaluate import judge
from plmrec.stages.judging import Judgement
from plmrec.stages.peak_memory import PeakMemory
from plmrec.stages.recipe import Recipe, fit_recipe
from plmrec.stages.slices import Groups
from plmrec.stages.train import train_recommender
from plmrec.stages.tuning import Search, draw_judged, tune_parts

log = logging.getLogger(__name__)

_BUDGET_S: Final = 60.0  # of the search for the options of one contender
_MIN_JUDGED: Final = 20  # users below which a validation says nothing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bed:
    """What all models of a bench share.

    Attributes:
        data: Items and whole histories.
        split: What is learnt from, and what is held out.
        before: The data of the training side; all that a model is fitted or tuned on.
        rows: int64 (n_judged,), the users to judge by.
        params: ``seed``, ``training`` and ``evaluation`` are used.
        groups: What items and users are.
        n_seeds: How often a model that draws numbers is fitted, each time with another seed.
    """

    data: TrainingData
    split: Split
    before: TrainingData
    rows: Ints
    params: Params
    groups: Groups
    n_seeds: int = 1

    @property
    def k(self) -> int:
        """Length of the lists."""
        return self.params.evaluation.k


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Figures:
    """What one model is worth, and what it costs.

    Attributes:
        name: Of the model.
        family: See ``Contender``.
        reason: Why there is no judgement; empty when there is one.
        recipe: What was fitted, with the options that the search chose.
        judgement: Of its lists; per user, the mean over seeds.
        seed_means: Metrics of each seed.
        tune_s: Seconds of the search, and of whatever else came before the fit.
        fit_s: Seconds to fit it on the training side, mean over seeds; nan where that is not
            known apart.
        score_s: Seconds to make and judge the lists of all judged users.
        peak_mb: Megabytes of memory that it took at its highest, over all of this; nan when
            unknown.
    """

    name: str
    family: Family
    reason: str = ""
    recipe: Recipe = field(default_factory=dict)
    judgement: Judgement | None = None
    seed_means: tuple[dict[str, float], ...] = ()
    tune_s: float = float("nan")
    fit_s: float = float("nan")
    score_s: float = float("nan")
    peak_mb: float = float("nan")


def make_bed(
    data: TrainingData, split: Split, params: Params, *, groups: Groups, k: int, n_seeds: int
) -> Bed:
    """Prepare a split for a bench.

    Tuning holds out of the training side what the split holds out of the whole, where it can.

    Raises:
        DataContractError: Something held out leaks into training, or nobody can be judged.
    """
    checked(split)
    rows = draw_judged(split, params.evaluation.max_users, seed=params.seed)
    if not len(rows) or not split.train.is_positive.any():
        raise DataContractError(
            f"bench: expected users to judge and likes to learn from with split {split.kind}, "
            f"found {len(rows)} and {int(split.train.is_positive.sum())}",
            hint="Give interactions of more users or over a longer time, or another --protocol",
        )
    evaluation = params.evaluation.model_copy(update={"k": k})
    kind = split.kind if split.kind in ("time", "random") else "last"
    training = params.training.model_copy(update={"validation": kind})
    return Bed(
        data=data,
        split=split,
        before=data.with_histories(split.train),
        rows=rows,
        params=params.model_copy(update={"evaluation": evaluation, "training": training}),
        groups=groups,
        n_seeds=n_seeds,
    )


def run_contender(contender: Contender, bed: Bed) -> Figures:
    """Tune a backend on the training side, fit it there, and judge it."""
    gauge, started = PeakMemory(), time.perf_counter()
    try:
        recipe = _tuned(contender, bed)
        tune_s = time.perf_counter() - started
        found = _fitted_and_judged(contender.name, contender.family, recipe, bed)
    except PermanentError as err:
        return _failed(contender.name, contender.family, err)
    return replace(found, tune_s=tune_s, peak_mb=gauge.megabytes())


def run_release(bed: Bed) -> Figures:
    """Train the recommender of a release on the training side, and judge it."""
    gauge, started = PeakMemory(), time.perf_counter()
    try:
        recipe = train_recommender(bed.before, bed.params, set_aside=False).recipe
        tune_s = time.perf_counter() - started
        found = _fitted_and_judged(RELEASE, "release", recipe, bed)
    except PermanentError as err:
        return _failed(RELEASE, "release", err)
    return replace(found, tune_s=tune_s, peak_mb=gauge.megabytes())


def run_variant(variant: Variant, release: Recipe, bed: Bed) -> Figures:
    """Train a variant of the release, its parts as the release tuned them, and judge it."""
    gauge, started = PeakMemory(), time.perf_counter()
    before = bed.before if variant.with_texts else without_texts(bed.before)
    try:
        params = variant_params(variant, release, bed.params)
        result = train_recommender(before, params, set_aside=False)
        tune_s = time.perf_counter() - started
        judgement, score_s = _judged(result.recommender, bed)
    except PermanentError as err:
        return _failed(variant.name, "ablation", err)
    return Figures(
        name=variant.name,
        family="ablation",
        recipe=result.recipe,
        judgement=judgement,
        seed_means=(judgement.means(),),
        tune_s=tune_s,
        score_s=score_s,
        peak_mb=gauge.megabytes(),
    )


def without_texts(data: TrainingData) -> TrainingData:
    """The same data without the vectors of the items' texts, and the tags that rest on them."""
    return replace(data, catalogue=replace(data.catalogue, vectors=None, tags=None))


def reseed(recipe: Recipe, offset: int) -> Recipe | None:
    """The same recipe with every seed moved by ``offset``; None where nothing has a seed."""
    options, n_seeds = _reseed(str(recipe["backend"]), recipe["options"], offset)
    return {"backend": recipe["backend"], "options": options} if n_seeds else None


def _reseed(backend: str, options: Mapping[str, Any], offset: int) -> tuple[dict[str, Any], int]:
    """Options of a backend with its seeds moved, and their number."""
    checked_options = load_backend("recommenders", backend).Options.model_validate(options)
    found, n_seeds = checked_options.model_dump(mode="json"), 0
    if "seed" in found:
        found["seed"], n_seeds = found["seed"] + offset, 1
    nested = dict(found["parts"]) if "parts" in found else {}
    if "backend" in found and "options" in found:
        nested[""] = found
    for part in nested.values():
        part["options"], more = _reseed(part["backend"], part["options"], offset)
        n_seeds += more
    return found, n_seeds


def _tuned(contender: Contender, bed: Bed) -> Recipe:
    """The recipe of a contender, its options searched on a part of the training side."""
    part, k = contender.part, bed.k
    validation = _validation(bed)
    if contender.space and validation.n_judged >= _MIN_JUDGED:
        training = bed.params.training
        tuned, _, _ = tune_parts(
            bed.before.with_histories(validation.train),
            validation,
            parts={contender.name: part},
            search=Search(
                space={part.backend: dict(contender.space)},
                trials=training.trials,
                budget_s=_BUDGET_S,
                seed=bed.params.seed,
            ),
            rows=draw_judged(validation, training.validation_users, seed=bed.params.seed),
            k=k,
            step=_nothing,
        )
        part = tuned[contender.name]
    return {"backend": part.backend, "options": dict(part.options)}


def _validation(bed: Bed) -> Split:
    """What a search holds out of the training side: in the same way as the split."""
    training, seed = bed.params.training, bed.params.seed
    share = training.validation_share
    if bed.split.kind == "cold-items":
        return split_cold_items(bed.before.histories, share=share, seed=seed)
    return choose_split(
        bed.before.histories, training.validation, share=share, seed=seed, min_users=_MIN_JUDGED
    )


def _fitted_and_judged(name: str, family: Family, recipe: Recipe, bed: Bed) -> Figures:
    """Fit and judge a recipe, once for each seed it has."""
    recipes = [reseed(recipe, offset) for offset in range(bed.n_seeds)]
    found, fits, scores = [], [], []
    for each in [one for one in recipes if one is not None] or [recipe]:
        started = time.perf_counter()
        model = fit_recipe(each, bed.before)
        fits.append(time.perf_counter() - started)
        judgement, score_s = _judged(model, bed)
        found.append(judgement)
        scores.append(score_s)
        log.info("%s: %s", name, judgement.means())
    return Figures(
        name=name,
        family=family,
        recipe=recipe,
        judgement=_mean_judgement(found),
        seed_means=tuple(each.means() for each in found),
        fit_s=float(np.mean(fits)),
        score_s=float(np.mean(scores)),
    )


def _judged(model: Recommender, bed: Bed) -> tuple[Judgement, float]:
    started = time.perf_counter()
    judgement = judge(model, bed.split, bed.rows, bed.k, before=bed.before)
    return judgement, time.perf_counter() - started


def _mean_judgement(found: Sequence[Judgement]) -> Judgement:
    """The mean over seeds, per user; the lists are those of the first."""
    return replace(
        found[0],
        per_user={
            name: np.mean([each.per_user[name] for each in found], axis=0)
            for name in found[0].per_user
        },
        coverage=float(np.mean([each.coverage for each in found])),
        gini=float(np.mean([each.gini for each in found])),
        cold_recall=float(np.mean([each.cold_recall for each in found])),
        cold_share=float(np.mean([each.cold_share for each in found])),
    )


def _failed(name: str, family: Family, err: PermanentError) -> Figures:
    reason = " ".join(str(err).split())
    log.warning("%s is left out: %s", name, reason)
    return Figures(name=name, family=family, reason=reason)


def _nothing() -> None:
    """Told the steps of a search; its length is not shown."""
