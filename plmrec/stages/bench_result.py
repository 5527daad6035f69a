"""What a bench found: figures side by side, and the release against each of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plmrec.metrics.intervals import Interval, bootstrap_mean, paired_difference, paired_ratio
from plmrec.metrics.significance import holm, paired_p_value
from plmrec.stages.bench_models import RELEASE
from plmrec.stages.bench_runs import Bed, Figures
from plmrec.stages.compare import finite
from plmrec.stages.slices import (
    find_gaps,
    judge_item_slices,
    slice_items,
    slice_users,
    take_users,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Versus:
    """The reference against another model in NDCG, over the same users.

    Attributes:
        model: The other.
        difference: Reference minus other.
        ratio: Reference over other.
        p: Two-sided p-value of the difference.
        p_holm: The same, corrected for all comparisons of its family.
    """

    model: str
    difference: Interval
    ratio: Interval
    p: float
    p_holm: float


def choose_reference(figures: Sequence[Figures]) -> Figures | None:
    """Whom the others are compared with: the release, else the first that was judged."""
    judged = [each for each in figures if each.judgement is not None]
    return next((each for each in judged if each.name == RELEASE), next(iter(judged), None))


def compare_all(reference: Figures, others: Sequence[Figures], bed: Bed) -> list[Versus]:
    """Compare the reference with every other; together they are one family of tests."""
    judged = [each for each in others if each.judgement is not None and each is not reference]
    pairs = [(_ndcg(reference, bed), _ndcg(each, bed)) for each in judged]
    evaluation, seed = bed.params.evaluation, bed.params.seed

    def options() -> dict[str, Any]:
        return {
            "rng": np.random.default_rng(seed),
            "n_resamples": evaluation.resamples,
            "confidence": evaluation.confidence,
        }

    p_values = np.array([paired_p_value(*pair, rng=np.random.default_rng(seed)) for pair in pairs])
    return [
        Versus(
            model=each.name,
            difference=paired_difference(*pair, **options()),
            ratio=paired_ratio(*pair, **options()),
            p=float(p),
            p_holm=float(corrected),
        )
        for each, pair, p, corrected in zip(judged, pairs, p_values, holm(p_values), strict=True)
    ]


def describe(figures: Figures, bed: Bed) -> dict[str, Any]:
    """Everything about one model as JSON values, None for nan."""
    values: dict[str, Any] = {
        "model": figures.name,
        "family": figures.family,
        "status": "ok" if figures.judgement is not None else "left out",
        "reason": figures.reason,
        "recipe": figures.recipe,
        "tune_s": figures.tune_s,
        "fit_s": figures.fit_s,
        "score_s": figures.score_s,
        "peak_mb": figures.peak_mb,
    }
    found: dict[str, Any] = finite(values | _describe_judgement(figures, bed))
    return found


def describe_versus(versus: Versus) -> dict[str, Any]:
    """One comparison as JSON values, None for nan and infinity."""
    found: dict[str, Any] = finite(
        {
            "model": versus.model,
            "difference": list(versus.difference),
            "ratio": list(versus.ratio),
            "p": versus.p,
            "p_holm": versus.p_holm,
        }
    )
    return found


def _describe_judgement(figures: Figures, bed: Bed) -> dict[str, Any]:
    judgement, ndcg = figures.judgement, f"ndcg@{bed.k}"
    if judgement is None:
        return {}
    evaluation, per_user = bed.params.evaluation, judgement.per_user
    users, items = slice_users(bed.split, bed.rows), slice_items(bed.split, bed.groups)
    gaps = find_gaps(per_user[ndcg], take_users(bed.groups, bed.rows))
    return {
        "metrics": judgement.means(),
        "intervals": {
            name: list(
                bootstrap_mean(
                    values,
                    rng=np.random.default_rng(bed.params.seed),
                    n_resamples=evaluation.resamples,
                    confidence=evaluation.confidence,
                )
            )
            for name, values in per_user.items()
        },
        "seeds": [dict(each) for each in figures.seed_means],
        "slices": {
            name: {"users": float(is_in.sum()), **judgement.means(is_in)}
            for name, is_in in users.items()
            if is_in.any()
        },
        "item_slices": judge_item_slices(judgement, bed.split, bed.rows, items),
        "gaps": {name: gap._asdict() for name, gap in gaps.items()},
    }


def _ndcg(figures: Figures, bed: Bed) -> np.ndarray[Any, np.dtype[np.float64]]:
    if figures.judgement is None:
        raise ValueError(f"{figures.name}: expected a judgement, found none")
    return figures.judgement.per_user[f"ndcg@{bed.k}"]
