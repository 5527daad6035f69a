"""How much each part of a blend counts, and what items that nobody liked are given."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np

from plmrec.histories import Floats, Ints
from plmrec.params import Params
from plmrec.recommenders.blend import USER_CONTEXTS, Blend, Context, Options
from plmrec.splits import Split
from plmrec.stages.choice_model import Choices, collect_choices, fit_weights, join_choices
from plmrec.stages.tuning import measure

log = logging.getLogger(__name__)

Weights: TypeAlias = dict[Context, dict[str, float]]

_COLD_SHARES: Final = (1.0, 0.5, 0.25, 0.0)
_PRIOR: Final = 0.3
_PRIOR_POPULAR: Final = 0.1
_MIN_USERS: Final = 20  # of a context; with fewer it has the weights of all
_AWAY_QUANTILE: Final = 0.9  # of the days since the last sign of those who came back
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """A blend to be judged: its parts fitted on the training side of a split.

    Attributes:
        model: The blend; only its options are changed here.
        split: The split.
        rows: Its users to judge by.
        weight: How much one of its users counts.
    """

    model: Blend
    split: Split
    rows: Ints
    weight: float = 1.0

    def with_options(self, **changes: Any) -> Bench:
        """The same bench with other options of the blend."""
        options = self.model.options.model_copy(update=changes)
        return replace(self, model=replace(self.model, options=options))

    def days_away(self) -> Floats:
        """Days between the moment of a split by time and the last sign of each known user."""
        last = self.split.train.take(self.rows).last_times()
        return (self.split.cut - last[np.isfinite(last)]) / _DAY_S


def prior_weights(options: Options) -> Weights:
    """Weights without evidence: parts that know the user count three times the others."""
    known = {
        name: _PRIOR if part.is_personal else _PRIOR_POPULAR for name, part in options.parts.items()
    }
    return {"recent": known, "away": known}


def judge(benches: Sequence[Bench], k: int) -> float:
    """NDCG@k over the users of all benches, by their weights."""
    mass = [bench.weight * len(bench.rows) for bench in benches]
    metrics = [measure(bench.model, bench.split, bench.rows, k) for bench in benches]
    return float(np.dot(mass, metrics) / max(sum(mass), 1e-9))


def weigh_parts(benches: list[Bench], params: Params) -> list[Bench]:
    """Fit the weights on the choices of all benches; equal ones stay when they do better."""
    benches = [bench.with_options(away_days=_away_days(benches)) for bench in benches]
    options = benches[0].model.options
    choices = [
        collect_choices(each.model, each.split, each.rows, weight=each.weight, seed=params.seed)
        for each in benches
    ]
    found = weights_of(join_choices(choices), options, params.training.weight_l2)
    tried = [
        [each.with_options(weights=weights) for each in benches]
        for weights in (found, prior_weights(options))
    ]
    metrics = [judge(each, params.evaluation.k) for each in tried]
    n_users = sum(each.n_users for each in choices)
    log.info("weights fitted on %d users: ndcg %.4f, equal %.4f", n_users, *metrics)
    return tried[int(np.argmax(metrics))]


def _away_days(benches: Sequence[Bench]) -> float | None:
    """Days without a sign after which hardly anybody came back; None when nobody ever did."""
    gaps = [each.days_away() for each in benches if each.split.kind == "time"]
    days = np.concatenate([np.zeros(0), *gaps])
    return round(float(np.quantile(days, _AWAY_QUANTILE)), 3) if len(days) >= _MIN_USERS else None


def weights_of(choices: Choices, options: Options, l2: float) -> Weights:
    """Weights for users who were active lately, and for those away."""
    known = choices.take(choices.contexts != USER_CONTEXTS.index("new"))
    found = Weights()
    prior = np.array(list(prior_weights(options)["recent"].values()))
    shared = fit_weights(known, prior=prior, l2=l2)
    for context in ("recent", "away"):
        own = known.take(known.contexts == USER_CONTEXTS.index(context))
        enough = own.n_users >= _MIN_USERS
        weights = fit_weights(own, prior=shared, l2=l2) if enough else shared
        found[context] = _named(options, weights)
    return found


def weigh_for_new(benches: Sequence[Bench], options: Options, params: Params) -> Weights:
    """Weights for users who liked nothing yet; none where too few are known.

    A part alone takes the place of all where it does better.

    Args:
        benches: The parts that are the same for all, before moments of the past.
        options: Of the whole blend; its other parts get 0.
        params: ``seed`` and ``training.weight_l2`` are used.
    """
    choices = [collect_choices(b.model, b.split, b.rows, seed=params.seed) for b in benches]
    if sum(each.n_users for each in choices) < _MIN_USERS:
        return {}
    common = benches[0].model.options
    prior = np.full(len(common.parts), _PRIOR)
    fitted = fit_weights(join_choices(choices), prior=prior, l2=params.training.weight_l2)
    alone = [{name: 1.0} for name in common.parts]
    tried = [_named(common, fitted), *alone]
    metrics = [
        judge([b.with_options(weights={"new": each}) for b in benches], params.evaluation.k)
        for each in tried
    ]
    found = tried[int(np.argmax(metrics))]
    log.info(
        "new users: ndcg %.4f weighed, %.4f by the best part alone", metrics[0], max(metrics[1:])
    )
    return {"new": {name: found.get(name, 0.0) for name in options.parts}}


def weigh_for_cold(bench: Bench | None, params: Params) -> Weights:
    """Weights of the parts that read texts, from what users chose among items nobody had liked.

    Args:
        bench: Those parts, fitted on the training side of a split by cold items; None where there
            is nothing to learn them from.
        params: ``seed`` and ``training.weight_l2`` are used.
    """
    if bench is None:
        return {}
    choices = collect_choices(bench.model, bench.split, bench.rows, seed=params.seed)
    known = choices.take(choices.contexts != USER_CONTEXTS.index("new"))
    prior = np.full(len(bench.model.options.parts), _PRIOR)
    found = fit_weights(known, prior=prior, l2=params.training.weight_l2)
    return {"cold": _named(bench.model.options, found)}


def _named(options: Options, weights: Floats) -> dict[str, float]:
    return dict(zip(options.parts, (round(float(each), 4) for each in weights), strict=True))


def share_with_cold(benches: list[Bench], params: Params) -> list[Bench]:
    """Choose how much of their scores items that nobody liked are given, on the first bench.

    The largest share wins a tie: then new items are shown at no cost.
    """
    if not benches[0].model.options.reads_text:
        return benches
    metrics = [
        judge([benches[0].with_options(cold_share=share)], params.evaluation.k)
        for share in _COLD_SHARES
    ]
    share = _COLD_SHARES[int(np.argmax(metrics))]
    return [bench.with_options(cold_share=share) for bench in benches]
