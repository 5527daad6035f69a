"""Stage "train": histories and vectors in, a tuned and fitted recommender out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
from pydantic import ValidationError

from plmrec.backends import build_backend
from plmrec.digests import digest_json
from plmrec.errors import DataContractError, ParamsError
from plmrec.histories import TrainingData
from plmrec.params import Params
from plmrec.recommenders import blend
from plmrec.recommenders.base import Arrays, Recommender
from plmrec.splits import Split, choose_split
from plmrec.stages.choice_model import collect_choices, fit_weights
from plmrec.stages.tuning import count_steps, draw_judged, measure, tune_parts, usable_parts

log = logging.getLogger(__name__)

Recipe: TypeAlias = dict[str, Any]
Progress: TypeAlias = Callable[[int, int], None]

_COLD_SHARES: Final = (1.0, 0.5, 0.25, 0.0)
_MIN_JUDGED: Final = 20  # users below which a validation says nothing
_PRIOR: Final = 0.3
_PRIOR_POPULAR: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """A recommender and how it came about.

    Attributes:
        recommender: Fitted on all data.
        recipe: ``{"backend": name, "options": {...}}``; ``fit_recipe`` makes the same recommender
            from it on other data.
        validation: One row per part, and ``blend``: part, NDCG@k on the validation split, weight,
            chosen options.
        trials: Every value tried: part, option, value, ndcg.
        metrics: NDCG@k of the blend on the validation split, and counts.
        split_digest: Of the validation split; empty when nothing was tuned.
        split_kind: Of the validation split.
    """

    recommender: Recommender
    recipe: Recipe
    validation: list[dict[str, Any]]
    trials: list[dict[str, Any]]
    metrics: dict[str, float]
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


def input_digest(data: TrainingData, params: Params) -> str:
    """Identity of everything training reads; the same digest gives the same recommender."""
    used = params.model_dump(include={"seed", "training", "evaluation"})
    return digest_json([data.digest(), used])


def fit_recipe(recipe: Recipe, data: TrainingData) -> Recommender:
    """Fit a recommender of known options.

    Raises:
        ParamsError: The recipe is not one, or its options are not valid.
        BackendUnavailableError: Its backend is not here.
    """
    if not isinstance(recipe.get("backend"), str) or not isinstance(recipe.get("options"), dict):
        raise ParamsError(f"recipe: expected keys backend and options, got {sorted(recipe)}")
    model: Recommender = build_backend("recommenders", recipe["backend"], recipe["options"])
    model.fit(data)
    return model


def release_state(recommender: Recommender, recipe: Recipe) -> tuple[Arrays, dict[str, Any]]:
    """Everything a release keeps of a recommender: arrays, and JSON values."""
    arrays, values = recommender.state()
    return arrays, {"recipe": recipe, "values": values}


def restore_recommender(arrays: Arrays, model: dict[str, Any]) -> Recommender:
    """Rebuild a recommender from ``release_state``; scores are identical.

    Raises:
        ParamsError: The recipe's options are not valid.
        DataContractError: A part of the state is missing.
    """
    try:
        recipe, values = model["recipe"], model["values"]
        found: Recommender = build_backend("recommenders", recipe["backend"], recipe["options"])
        found.load_state(arrays, values)
    except KeyError as err:
        raise DataContractError(f"release: expected {err} in the state, found none") from err
    return found


def train_recommender(
    data: TrainingData, params: Params, *, progress: Progress = lambda _done, _total: None
) -> TrainResult:
    """Tune a blend on a validation split, then fit it on everything.

    Tuning sees only what ``evaluate`` will not judge by: the evaluation's held-out part is set
    aside first, and the validation split is cut from the rest.

    Args:
        data: Items and histories; may be empty of likes, then nothing is tuned.
        params: ``seed``, ``training`` and ``evaluation`` are used.
        progress: Told steps done and steps to do.

    Raises:
        ParamsError: ``training.options`` or ``training.grid`` are not valid.
    """
    options = _checked_options(params)
    outer = evaluation_split(data, params)
    seen = data.with_histories(outer.train if outer.n_judged else data.histories)
    training = params.training
    split = choose_split(
        seen.histories,
        training.validation,
        share=training.validation_share,
        seed=params.seed,
        min_users=_MIN_JUDGED,
    )
    options = options.model_copy(update={"parts": usable_parts(options, data.histories)})
    if not training.tune or split.n_judged < _MIN_JUDGED:
        return _untuned(data, options, progress)
    rows = draw_judged(split, training.validation_users, seed=params.seed)
    total, done = count_steps(options.parts, training.grid) + 3, 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    before = seen.with_histories(split.train)
    k = params.evaluation.k
    parts, fitted, trials = tune_parts(
        before, split, parts=options.parts, grid=training.grid, rows=rows, k=k, step=step
    )
    options = options.model_copy(update={"parts": parts})
    model = blend.build(options)
    model.adopt(fitted, before)
    model, metric = _weigh(model, split, params)
    step()
    model, metric = _share_with_cold(model, split, params, metric)
    step()
    recipe = _recipe(model.options)
    result = fit_recipe(recipe, data)
    step()
    best = {t.part: max(o.metric for o in trials if o.part == t.part) for t in trials}
    table = [
        {
            "part": name,
            f"ndcg@{k}": best[name],
            "weight": model.options.weight(name),
            "options": dict(part.options),
        }
        for name, part in model.options.parts.items()
    ]
    table.append({"part": "blend", f"ndcg@{k}": metric, "weight": 1.0, "options": {}})
    return TrainResult(
        recommender=result,
        recipe=recipe,
        validation=table,
        trials=[
            {"part": t.part, "option": t.option, "value": t.value, f"ndcg@{k}": t.metric}
            for t in trials
        ],
        metrics={f"validation_ndcg@{k}": metric, "validation_users": float(len(rows))},
        split_digest=split.digest(),
        split_kind=split.kind,
    )


def _checked_options(params: Params) -> blend.Options:
    try:
        return blend.Options.model_validate(params.training.options)
    except ValidationError as err:
        raise ParamsError(f"training.options: not valid for the blend: {err}") from err


def _recipe(options: blend.Options) -> Recipe:
    return {"backend": "blend", "options": options.model_dump(mode="json")}


def _untuned(data: TrainingData, options: blend.Options, progress: Progress) -> TrainResult:
    """Fit the blend as it comes; there is nothing to tune it on."""
    if not options.weights:
        options = options.model_copy(update={"weights": prior_weights(options)})
    recipe = _recipe(options)
    model = fit_recipe(recipe, data)
    progress(1, 1)
    return TrainResult(
        recommender=model,
        recipe=recipe,
        validation=[],
        trials=[],
        metrics={},
        split_digest="",
        split_kind="none",
    )


def prior_weights(options: blend.Options) -> dict[str, float]:
    """Weights without evidence: parts that know the user count three times the others."""
    return {
        name: _PRIOR_POPULAR if part.backend.endswith("popularity") else _PRIOR
        for name, part in options.parts.items()
    }


def _weigh(model: blend.Blend, split: Split, params: Params) -> tuple[blend.Blend, float]:
    """Fit the weights; equal ones stay when the fitted ones do worse on the validation split."""
    training = params.training
    rows = draw_judged(split, training.validation_users, seed=params.seed)
    prior = prior_weights(model.options)
    choices = collect_choices(model, split, n_targets=training.weight_targets, seed=params.seed)
    start = np.array(list(prior.values()))
    weights = fit_weights(choices, prior=start, l2=training.weight_l2)
    found = dict(zip(prior, (round(float(w), 4) for w in weights), strict=True))
    tried = [_with(model, weights=w) for w in (found, prior)]
    metrics = [measure(each, split, rows, params.evaluation.k) for each in tried]
    log.info("weights fitted on %d choices: ndcg %.4f, equal %.4f", choices.n_choices, *metrics)
    best = int(np.argmax(metrics))
    return tried[best], metrics[best]


def _share_with_cold(
    model: blend.Blend, split: Split, params: Params, metric: float
) -> tuple[blend.Blend, float]:
    """Choose how much of its neighbours' scores an item that nobody liked is given."""
    rows = draw_judged(split, params.training.validation_users, seed=params.seed)
    best, top = model, metric
    for share in _COLD_SHARES:
        if share == model.options.cold_share:
            continue
        tried = _with(model, cold_share=share)
        value = measure(tried, split, rows, params.evaluation.k)
        if value > top:
            best, top = tried, value
    return best, top


def _with(model: blend.Blend, **changes: Any) -> blend.Blend:
    return replace(model, options=model.options.model_copy(update=changes))
