"""Stage "train": histories and vectors in, a tuned and fitted recommender out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import ValidationError

from plmrec.errors import ParamsError
from plmrec.histories import Ints, TrainingData
from plmrec.params import Params
from plmrec.recommenders import blend
from plmrec.recommenders.base import Recommender
from plmrec.splits import Split, choose_split, split_cold_items
from plmrec.stages.part_search import fit_part
from plmrec.stages.recipe import Recipe, fit_recipe
from plmrec.stages.tuning import (
    Search,
    Step,
    Trial,
    count_steps,
    draw_judged,
    tune_parts,
    usable_parts,
)
from plmrec.stages.weighing import (
    Bench,
    judge,
    prior_weights,
    share_with_cold,
    weigh_for_cold,
    weigh_for_new,
    weigh_parts,
)
from plmrec.stages.windows import windows_of_known, windows_of_new

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
    set_aside: bool = True,
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
        set_aside: Whether ``evaluate`` will judge by a part of these data; False where they are
            themselves what is left of a split.

    Raises:
        ParamsError: ``training.options`` or ``training.space`` are not valid.
    """
    options = _checked_options(params)
    options = options.model_copy(update={"parts": usable_parts(options, data.histories)})
    seen = _without_judged(data, params) if set_aside else data
    split = validation_split(seen, params)
    if not params.training.tune or split.n_judged < _MIN_JUDGED:
        return _untuned(data, options, progress)
    search = Search.of(params, store)
    total, done = count_steps(options.parts, search) + 4, 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    options, trials, on_cold = _tune_for_cold(options, seen, params, search, step)
    before, k = seen.with_histories(split.train), params.evaluation.k
    others = {n: part for n, part in options.parts.items() if n not in {t.part for t in trials}}
    tuned, fitted, more = tune_parts(
        before, split, parts=others, search=search, rows=_judged(split, params), k=k, step=step
    )
    options = options.model_copy(update={"parts": options.parts | tuned})
    benches = _benches(options, fitted, before, split, seen, params)
    step()
    benches = weigh_parts(benches, params)
    weights = {
        **benches[0].model.options.weights,
        **weigh_for_new(windows_of_new(options, seen, params), options, params),
        **weigh_for_cold(on_cold, params),
    }
    benches = [bench.with_options(weights=weights) for bench in benches]
    step()
    benches = share_with_cold(benches, params)
    step()
    recipe = _recipe(benches[0].model.options)
    result = fit_recipe(recipe, data)
    step()
    trials = [*trials, *more]
    return TrainResult(
        recommender=result,
        recipe=recipe,
        validation=_table(benches, trials, k),
        trials=[asdict(trial) for trial in trials],
        split_digest=split.digest(),
        split_kind=split.kind,
    )


def _tune_for_cold(
    options: blend.Options, data: TrainingData, params: Params, search: Search, step: Step
) -> tuple[blend.Options, list[Trial], Bench | None]:
    """Tune the parts that are there for items nobody liked on items held out as if nobody had.

    Returns:
        The options with those parts tuned, what was tried, and the parts fitted without the
        held-out items; no trials and None where there are no such parts, or nobody to judge them.
    """
    parts = {
        name: part
        for name, part in options.parts.items()
        if part.reads_text and search.limit(part) > 1
    }
    split = split_cold_items(
        data.histories, share=params.training.validation_share, seed=params.seed
    )
    if not parts or split.n_judged < _MIN_JUDGED or not split.train.is_positive.any():
        return options, [], None
    before, rows = data.with_histories(split.train), _judged(split, params)
    tuned, fitted, trials = tune_parts(
        before, split, parts=parts, search=search, rows=rows, k=params.evaluation.k, step=step
    )
    model = blend.build(blend.Options(parts=tuned))
    model.adopt(fitted, before)
    bench = Bench(model=model, split=split, rows=_drawn(split, params))
    return options.model_copy(update={"parts": options.parts | tuned}), trials, bench


def _benches(
    options: blend.Options,
    fitted: dict[str, Any],
    before: TrainingData,
    split: Split,
    data: TrainingData,
    params: Params,
) -> list[Bench]:
    """The tuned blend on the validation split, then before moments of the past."""
    missing = {name: part for name, part in options.parts.items() if name not in fitted}
    parts = fitted | {name: fit_part(part, before) for name, part in missing.items()}
    model = blend.build(options)
    model.adopt({name: parts[name] for name in options.parts}, before)
    first = Bench(model=model, split=split, rows=_drawn(split, params))
    weight = 1.0 if params.training.validation == "time" else params.training.window_weight
    return [first, *windows_of_known(options, data, params, weight=weight)]


def _without_judged(data: TrainingData, params: Params) -> TrainingData:
    """What ``evaluate`` does not judge by; everything where it judges nobody."""
    outer = evaluation_split(data, params)
    return data.with_histories(outer.train) if outer.n_judged else data


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


def _judged(split: Split, params: Params) -> Ints:
    return draw_judged(split, params.training.validation_users, seed=params.seed)


def _drawn(split: Split, params: Params) -> Ints:
    return draw_judged(split, params.training.weight_users, seed=params.seed)


def _table(benches: list[Bench], trials: list[Trial], k: int) -> list[dict[str, Any]]:
    """One row per part and one for the blend, for people and for MLflow."""
    options = benches[0].model.options
    table = [
        {
            "part": name,
            f"ndcg@{k}": next(t.ndcg for t in trials if t.part == name and t.is_chosen),
            "weight": options.weight(name, "recent"),
            "options": dict(part.options),
        }
        for name, part in options.parts.items()
    ]
    best = judge(benches[:1], k)
    row = {"part": "blend", f"ndcg@{k}": best, "weight": 1.0, "options": {}}
    return [*table, row | ({f"ndcg@{k} by time": judge(benches[1:], k)} if benches[1:] else {})]


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
