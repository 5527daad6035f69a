"""Whether a difference between two recommenders is more than chance, for one pair and for many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plmrec.errors import ShapeError

PerUser = npt.NDArray[np.float64]

_CELLS = 4_000_000  # users x resamples drawn at once: 32 MB


def paired_p_value(
    challenger: PerUser, champion: PerUser, *, rng: np.random.Generator, n_resamples: int = 10_000
) -> float:
    """Two-sided p-value of the mean difference over the same users, by a paired bootstrap.

    The differences are moved to mean 0, which is what they would be if there were no difference.
    Users are then drawn with replacement, and the p-value is the share of draws whose t statistic
    ``mean / (deviation / sqrt(n))`` is at least as far from 0 as the observed one. The observation
    counts as one of the draws, so the p-value is never 0. Users with nan are left out first.

    Args:
        challenger: float64 (n_users,).
        champion: float64 (n_users,), the same users in the same order.
        rng: Source of randomness.
        n_resamples: How many times to draw; no p-value is below ``1 / (n_resamples + 1)``.

    Returns:
        In (0, 1]; 1 when no user differs; nan with fewer than two users.

    Raises:
        ShapeError: The two do not belong to the same users.

    Source:
        Sakai 2006, "Evaluating evaluation metrics based on the bootstrap"; the count of the
        observation as in Davison and Hinkley 1997, "Bootstrap methods and their application".

    Example:
        >>> paired_p_value(np.ones(9), np.ones(9), rng=np.random.default_rng(1))
        1.0
    """
    if challenger.shape != champion.shape:
        raise ShapeError(
            f"p-value: expected the same users, got {challenger.shape} and {champion.shape}"
        )
    gains = challenger - champion
    gains = gains[np.isfinite(gains)]
    n = gains.size
    if n < 2:
        return float("nan")
    if not gains.any():
        return 1.0
    observed = abs(_t_statistic(gains[None, :])[0])
    centred = gains - gains.mean()
    step, n_beyond = max(1, _CELLS // n), 0
    for start in range(0, n_resamples, step):
        rounds = min(step, n_resamples - start)
        drawn = centred[rng.integers(0, n, size=(rounds, n))]
        n_beyond += int((np.abs(_t_statistic(drawn)) >= observed).sum())
    return (n_beyond + 1) / (n_resamples + 1)


def _t_statistic(gains: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """One per row; infinite where all users of a row gain the same, unless that is nothing."""
    mean = gains.mean(axis=1)
    error = gains.std(axis=1, ddof=1) / np.sqrt(gains.shape[1])
    flat = np.where(np.abs(mean) > 0, np.inf, 0.0)
    return np.asarray(np.divide(mean, error, out=flat, where=error > 1e-12 * np.abs(mean)))


def holm(p_values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Correct the p-values of a family of tests, so that any false alarm at all stays rare.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none becomes smaller than
    one before it, and none exceeds 1.

    Args:
        p_values: float64 (m,); nan for tests that could not be made, which do not count.

    Returns:
        float64 (m,): below a level, the test is significant at that level within the family.

    Source:
        Holm 1979, "A simple sequentially rejective multiple test procedure".

    Example:
        >>> holm(np.array([0.04, 0.01, 0.03])).round(2).tolist()
        [0.06, 0.03, 0.06]
    """
    corrected = np.full(len(p_values), np.nan)
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    factors = len(order) - np.arange(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return corrected
