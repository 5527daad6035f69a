"""Two evaluations side by side: gains with paired intervals, overall and by slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from plmrec.errors import DataContractError
from plmrec.histories import Bools, Floats
from plmrec.metrics.intervals import Interval, paired_difference
from plmrec.params import EvaluationParams
from plmrec.stages.evaluate import Evaluation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Challenger against champion on the same held-out likes.

    Attributes:
        challenger: Its evaluation.
        champion: The other's; None when there is no champion yet.
        intervals: Per metric, the challenger's mean with its interval.
        gains: Per metric, challenger minus champion, with its paired interval; empty without one.
        slice_gains: Per slice and metric, challenger minus champion with its interval.
    """

    challenger: Evaluation
    champion: Evaluation | None
    intervals: dict[str, Interval]
    gains: dict[str, Interval]
    slice_gains: dict[str, dict[str, Interval]]

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON values, None for nan."""
        champion = self.champion
        values: dict[str, Any] = finite(
            {
                "split": self.challenger.split_kind,
                "split_digest": self.challenger.split_digest,
                "users": self.challenger.n_judged,
                "challenger": self.challenger.metrics(),
                "champion": champion.metrics() if champion else None,
                "intervals": {name: list(values) for name, values in self.intervals.items()},
                "gains": {name: list(values) for name, values in self.gains.items()},
                "slices": self.challenger.slice_metrics(),
                "slice_gains": {
                    part: {name: list(values) for name, values in gains.items()}
                    for part, gains in self.slice_gains.items()
                },
                "item_slices": self.challenger.item_slices,
                "gaps": {name: gap._asdict() for name, gap in self.challenger.gaps.items()},
                "baselines": self.challenger.baselines,
            }
        )
        return values


def compare(
    challenger: Evaluation, champion: Evaluation | None, params: EvaluationParams, *, seed: int
) -> Comparison:
    """Put two evaluations side by side, with intervals from a paired bootstrap over users.

    Raises:
        DataContractError: They were judged on different held-out likes or lengths of list.
    """
    if champion is not None and (
        challenger.split_digest != champion.split_digest or challenger.k != champion.k
    ):
        raise DataContractError(
            "compare: expected both on the same held-out likes, got splits "
            f"{challenger.split_digest}@{challenger.k} and {champion.split_digest}@{champion.k}"
        )
    everyone = np.ones(challenger.n_judged, dtype=np.bool_)

    def interval(ours: Floats, theirs: Floats) -> Interval:
        return paired_difference(
            ours,
            theirs,
            rng=np.random.default_rng(seed),
            n_resamples=params.resamples,
            confidence=params.confidence,
        )

    def gain(users: Bools) -> dict[str, Interval]:
        if champion is None:
            return {}
        ours, theirs = challenger.judgement.per_user, champion.judgement.per_user
        return {name: interval(ours[name][users], theirs[name][users]) for name in ours}

    intervals = {
        name: interval(each, np.zeros_like(each))
        for name, each in challenger.judgement.per_user.items()
    }
    gains = gain(everyone)
    slice_gains = {name: gain(users) for name, users in challenger.slices.items() if champion}
    return Comparison(
        challenger=challenger,
        champion=champion,
        intervals=intervals,
        gains=gains,
        slice_gains=slice_gains,
    )


def finite(value: Any) -> Any:
    """The same JSON value with None for nan and infinity."""
    if isinstance(value, Mapping):
        return {key: finite(below) for key, below in value.items()}
    if isinstance(value, list):
        return [finite(below) for below in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
