"""Stage "train": histories and vectors in, a tuned and fitted recommender out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from pydantic import ValidationError

from plmrec.errors import ParamsError
from plmrec.histories import Ints, TrainingData
from plmrec.params import Params
from plmrec.recommenders import blend
from plmrec.recommenders.base import Recommender
from plmrec.splits import Split, choose_split, split_by_time
from plmrec.stages.recipe import Recipe, fit_recipe
from plmrec.stages.tuning import (
    Search,
    Trial,
    count_steps,
    draw_judged,
    measure,
    tune_parts,
    usable_parts,
)
from plmrec.stages.weighing import Bench, prior_weights, share_with_cold, weigh_parts

Progress: TypeAlias = Callable[[int, int], None]

_MIN_JUDGED: Final = 20  # users below which a validation says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """A recommender and how it came about.

    Attributes:
        recommender: Fitted on all data.
        recipe: ``{"backend": name, "options": {...}}``; ``fit_recipe`` makes the same recommender
            from it on other data.
        validation: One row per part, and ``blend``: part, NDCG@k on the validation split, weight,
            chosen options; empty when nothing was tuned.
        trials: Every setting tried; see ``Trial``.
        split_digest: Of the validation split; empty when nothing was tuned.
        split_kind: Of the validation split.
    """

    recommender: Recommender
    recipe: Recipe
    validation: list[dict[str, Any]]
    trials: list[dict[str, Any]]
    split_digest: str
    split_kind: str


def evaluation_split(data: TrainingData, params: Params) -> Split:
    """What ``evaluate`` holds out; training tunes on the rest only."""
    return choose_split(
        data.histories,
        params.evaluation.split,
        share=params.evaluation.share,
        seed=params.seed,
        min_users=_MIN_JUDGED,
    )


def train_recommender(
    data: TrainingData,
    params: Params,
    *,
    progress: Progress = lambda _done, _total: None,
    store: Path | None = None,
) -> TrainResult:
    """Tune a blend on a validation split, then fit it on everything.

    Tuning sees only what ``evaluate`` will not judge by: the evaluation's held-out part is set
    aside first, and the validation split is cut from the rest.

    Args:
        data: Items and histories; may be empty of likes, then nothing is tuned.
        params: ``seed``, ``training`` and ``evaluation`` are used.
        progress: Told steps done and steps to do.
        store: File that keeps what tuning tried, so that a killed training goes on; None keeps
            nothing.

    Raises:
        ParamsError: ``training.options`` or ``training.space`` are not valid.
    """
    options = _checked_options(params)
    options = options.model_copy(update={"parts": usable_parts(options, data.histories)})
    outer = evaluation_split(data, params)
    seen = data.with_histories(outer.train) if outer.n_judged else data
    split = validation_split(seen, params)
    if not params.training.tune or split.n_judged < _MIN_JUDGED:
        return _untuned(data, options, progress)
    search = Search.of(params, store)
    total, done = count_steps(options.parts, search) + 4, 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    before, rows = seen.with_histories(split.train), _judged(split, params)
    parts, fitted, trials = tune_parts(
        before, split, parts=options.parts, search=search, rows=rows, k=params.evaluation.k,
        step=step,
    )  # fmt: skip
    model = blend.build(options.model_copy(update={"parts": parts}))
    model.adopt(fitted, before)
    benches = _benches(model, seen, split, params)
    step()
    benches = weigh_parts(benches, params)
    step()
    benches = share_with_cold(benches, params)
    step()
    recipe = _recipe(benches[0].model.options)
    result = fit_recipe(recipe, data)
    step()
    return TrainResult(
        recommender=result,
        recipe=recipe,
        validation=_table(benches, trials, params.evaluation.k),
        trials=[asdict(trial) for trial in trials],
        split_digest=split.digest(),
        split_kind=split.kind,
    )


def validation_split(data: TrainingData, params: Params) -> Split:
    """What tuning holds out of the data it may see."""
    return choose_split(
        data.histories,
        params.training.validation,
        share=params.training.validation_share,
        seed=params.seed,
        min_users=_MIN_JUDGED,
    )


def _checked_options(params: Params) -> blend.Options:
    try:
        return blend.Options.model_validate(params.training.options)
    except ValidationError as err:
        raise ParamsError(f"training.options: not valid for the blend: {err}") from err


def _recipe(options: blend.Options) -> Recipe:
    return {"backend": "blend", "options": options.model_dump(mode="json")}


def _judged(split: Split, params: Params, *, known: bool = False) -> Ints:
    """Users to judge by; only those who liked something before if ``known``."""
    rows = draw_judged(split, params.training.validation_users, seed=params.seed)
    likes = np.diff(split.train.take(rows).positives().indptr)
    return rows[likes > 0] if known else rows


def _benches(model: blend.Blend, data: TrainingData, split: Split, params: Params) -> list[Bench]:
    """The tuned blend on the validation split, and fitted again before a moment in time."""
    share = params.training.time_share
    first = Bench(model=model, split=split, rows=_judged(split, params), share=1.0)
    if not share or split.kind != "last":
        return [first]
    by_time = split_by_time(data.histories, share=params.training.validation_share)
    rows = _judged(by_time, params, known=True)
    if len(rows) < _MIN_JUDGED:
        return [first]
    again = blend.build(model.options)
    again.fit(data.with_histories(by_time.train))
    second = Bench(model=again, split=by_time, rows=rows, share=share)
    return [replace(first, share=1.0 - share), second]


def _table(benches: list[Bench], trials: list[Trial], k: int) -> list[dict[str, Any]]:
    """One row per part and one for the blend, for people and for MLflow."""
    options = benches[0].model.options
    table = [
        {
            "part": name,
            f"ndcg@{k}": next(t.ndcg for t in trials if t.part == name and t.is_chosen),
            "weight": options.weight(name),
            "options": dict(part.options),
        }
        for name, part in options.parts.items()
    ]
    metrics = {b.split.kind: measure(b.model, b.split, b.rows, k) for b in benches}
    best = metrics.pop(benches[0].split.kind)
    row = {"part": "blend", f"ndcg@{k}": best, "weight": 1.0, "options": {}}
    return [*table, row | {f"ndcg@{k} by {kind}": value for kind, value in metrics.items()}]


def _untuned(data: TrainingData, options: blend.Options, progress: Progress) -> TrainResult:
    """Fit the blend as it comes: nothing to tune it on, or not asked to."""
    weights = options.weights or prior_weights(options)
    recipe = _recipe(options.model_copy(update={"weights": weights}))
    model = fit_recipe(recipe, data)
    progress(1, 1)
    return TrainResult(
        recommender=model, recipe=recipe, validation=[], trials=[], split_digest="",
        split_kind="none",
    )  # fmt: skip
