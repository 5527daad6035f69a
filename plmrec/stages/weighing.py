"""How much each part of a blend counts, and what items that nobody liked are given."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from plmrec.histories import Ints
from plmrec.params import Params
from plmrec.recommenders.blend import Blend, Options
from plmrec.splits import Split
from plmrec.stages.choice_model import collect_choices, fit_weights, join_choices
from plmrec.stages.tuning import measure

log = logging.getLogger(__name__)

_COLD_SHARES: Final = (1.0, 0.5, 0.25, 0.0)
_PRIOR: Final = 0.3
_PRIOR_POPULAR: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """A blend to be judged: its parts fitted on the training side of a split.

    Attributes:
        model: The blend; only its options are changed here.
        split: The split.
        rows: Its users to judge by.
        share: Share of the verdict, in (0, 1]; those of all benches add up to 1.
    """

    model: Blend
    split: Split
    rows: Ints
    share: float

    def with_options(self, **changes: Any) -> Bench:
        """The same bench with other options of the blend."""
        options = self.model.options.model_copy(update=changes)
        return replace(self, model=replace(self.model, options=options))


def prior_weights(options: Options) -> dict[str, float]:
    """Weights without evidence: parts that know the user count three times the others."""
    return {
        name: _PRIOR_POPULAR if part.backend.endswith("popularity") else _PRIOR
        for name, part in options.parts.items()
    }


def judge(benches: list[Bench], k: int) -> float:
    """NDCG@k over the benches, by their shares."""
    return sum(b.share * measure(b.model, b.split, b.rows, k) for b in benches)


def weigh_parts(benches: list[Bench], params: Params) -> list[Bench]:
    """Fit the weights on the choices of all benches; equal ones stay when they do better."""
    training = params.training
    options = benches[0].model.options
    prior = prior_weights(options)
    choices = [
        collect_choices(b.model, b.split, n_targets=training.weight_targets, seed=params.seed)
        for b in benches
    ]
    joined = join_choices(choices, [b.share for b in benches])
    start = np.array([prior[name] for name in options.parts])
    weights = fit_weights(joined, prior=start, l2=training.weight_l2)
    found = dict(zip(options.parts, (round(float(w), 4) for w in weights), strict=True))
    tried = [[b.with_options(weights=values) for b in benches] for values in (found, prior)]
    metrics = [judge(each, params.evaluation.k) for each in tried]
    log.info("weights fitted on %d choices: ndcg %.4f, equal %.4f", joined.n_choices, *metrics)
    return tried[int(np.argmax(metrics))]


def share_with_cold(benches: list[Bench], params: Params) -> list[Bench]:
    """Choose how much of its neighbours' scores an item that nobody liked is given.

    The largest share wins a tie: then new items are shown at no cost.
    """
    tried = [[b.with_options(cold_share=share) for b in benches] for share in _COLD_SHARES]
    return tried[int(np.argmax([judge(each, params.evaluation.k) for each in tried]))]
