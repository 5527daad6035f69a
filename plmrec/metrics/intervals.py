"""Confidence intervals by resampling users."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plmrec.errors import ShapeError

_CELLS = 4_000_000  # users x resamples drawn at once: 32 MB


class Interval(NamedTuple):
    """A mean with its confidence interval; all nan when there was nothing to average."""

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: npt.NDArray[np.float64],
    *,
    rng: np.random.Generator,
    n_resamples: int = 1000,
    confidence: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of the mean over users.

    Users are drawn with replacement ``n_resamples`` times; the interval holds the middle
    ``confidence`` share of the resampled means. Users with nan are left out first.

    Args:
        values: float64 (n_users,), one value per user.
        rng: Source of randomness.
        n_resamples: How many times to draw.
        confidence: In (0, 1).

    Source:
        Efron 1979, "Bootstrap methods: another look at the jackknife".

    Example:
        >>> bootstrap_mean(np.full(5, 0.25), rng=np.random.default_rng(1))
        Interval(mean=0.25, low=0.25, high=0.25)
    """
    known = values[np.isfinite(values)]
    if known.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    per_round = max(1, _CELLS // known.size)
    means: list[npt.NDArray[np.float64]] = []
    for start in range(0, n_resamples, per_round):
        rounds = min(per_round, n_resamples - start)
        draws = rng.integers(0, known.size, size=(rounds, known.size))
        means.append(known[draws].mean(axis=1))
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(np.concatenate(means), [tail, 1.0 - tail])
    return Interval(float(known.mean()), float(low), float(high))


def paired_difference(
    challenger: npt.NDArray[np.float64],
    champion: npt.NDArray[np.float64],
    *,
    rng: np.random.Generator,
    n_resamples: int = 1000,
    confidence: float = 0.95,
) -> Interval:
    """Interval of the mean difference ``challenger - champion`` over the same users.

    Pairing removes the spread between users, who differ far more than recommenders do.

    Args:
        challenger: float64 (n_users,).
        champion: float64 (n_users,), the same users in the same order.
        rng: Source of randomness.
        n_resamples: How many times to draw.
        confidence: In (0, 1).

    Raises:
        ShapeError: The two do not belong to the same users.

    Source:
        Sakai 2006, "Evaluating evaluation metrics based on the bootstrap".

    Example:
        >>> paired_difference(np.array([0.5, 0.75]), np.array([0.25, 0.5]),
        ...                   rng=np.random.default_rng(1))
        Interval(mean=0.25, low=0.25, high=0.25)
    """
    if challenger.shape != champion.shape:
        raise ShapeError(
            f"paired difference: expected the same users, got {challenger.shape} and "
            f"{champion.shape}"
        )
    return bootstrap_mean(
        challenger - champion, rng=rng, n_resamples=n_resamples, confidence=confidence
    )


def paired_ratio(
    challenger: npt.NDArray[np.float64],
    champion: npt.NDArray[np.float64],
    *,
    rng: np.random.Generator,
    n_resamples: int = 1000,
    confidence: float = 0.95,
) -> Interval:
    """Interval of the ratio ``mean(challenger) / mean(champion)`` over the same users.

    Percentile bootstrap over users, both means from the same draw. Users with nan in either are
    left out first.

    Args:
        challenger: float64 (n_users,), not negative.
        champion: float64 (n_users,), not negative, the same users in the same order.
        rng: Source of randomness.
        n_resamples: How many times to draw.
        confidence: In (0, 1).

    Returns:
        The ratio as ``mean``, with its interval; ``high`` is infinite when the champion's mean is 0
        in many draws. All nan when the champion's mean is 0 in all, or without users.

    Raises:
        ShapeError: The two do not belong to the same users.

    Source:
        Efron and Tibshirani 1993, "An introduction to the bootstrap", on ratios of means.

    Example:
        >>> paired_ratio(np.full(4, 0.6), np.full(4, 0.5), rng=np.random.default_rng(1)).mean
        1.2
    """
    if challenger.shape != champion.shape:
        raise ShapeError(
            f"paired ratio: expected the same users, got {challenger.shape} and {champion.shape}"
        )
    known = np.isfinite(challenger) & np.isfinite(champion)
    above, below = challenger[known], champion[known]
    if not below.any():
        return Interval(float("nan"), float("nan"), float("nan"))
    step = max(1, _CELLS // below.size)
    ratios: list[npt.NDArray[np.float64]] = []
    for start in range(0, n_resamples, step):
        rounds = min(step, n_resamples - start)
        draws = rng.integers(0, below.size, size=(rounds, below.size))
        base = below[draws].mean(axis=1)
        ratio = np.full(rounds, np.inf)
        ratios.append(np.divide(above[draws].mean(axis=1), base, out=ratio, where=base > 0))
    tail = (1.0 - confidence) / 2.0
    # Not interpolated: between a number and infinity there is nothing.
    low = np.quantile(np.concatenate(ratios), tail, method="lower")
    high = np.quantile(np.concatenate(ratios), 1.0 - tail, method="higher")
    return Interval(float(above.mean() / below.mean()), float(low), float(high))
