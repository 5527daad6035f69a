"""Whether predicted probabilities mean what they say, and how to make them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plmrec.errors import ShapeError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_STEPS = 100  # of Newton's method; a handful is enough where there is an answer
_SMALL = 1e-10


def calibration_error(probabilities: Floats, happened: Bools, *, bins: int = 10) -> float:
    """Mean gap between how often something was predicted and how often it happened.

    Predictions are sorted and dealt into ``bins`` of as equal size as can be, equal predictions
    always into the same one; the gap of a bin is ``|mean prediction - share that happened|``, and
    bins count by their size. Bins of equal size leave none empty, whatever the predictions.

    Args:
        probabilities: (n,), in [0, 1].
        happened: (n,).
        bins: At least 1.

    Returns:
        In [0, 1], 0 is best; nan for no predictions.

    Raises:
        ShapeError: The two do not belong together.

    Source:
        Naeini, Cooper and Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian
        binning"; bins of equal size after Nixon et al. 2019, "Measuring calibration in deep
        learning".

    Example:
        >>> calibration_error(np.array([0.2, 0.2, 0.9, 0.9]), np.array([0, 0, 1, 1]) > 0, bins=2)
        0.15
    """
    if probabilities.shape != happened.shape or probabilities.ndim != 1:
        raise ShapeError(
            f"calibration error: expected two arrays (n,), got {probabilities.shape} and "
            f"{happened.shape}"
        )
    n = len(probabilities)
    if n == 0:
        return float("nan")
    values, row = np.unique(probabilities, return_inverse=True)
    counts = np.bincount(row)
    middle = np.cumsum(counts) - counts / 2.0
    bin_of = np.minimum((middle * bins / n).astype(np.int64), bins - 1)
    predicted = np.bincount(bin_of, values * counts, bins)
    found = np.bincount(bin_of, np.bincount(row, happened), bins)
    return float(np.abs(predicted - found).sum() / n)


class Platt(NamedTuple):
    """A straight line through log-odds: ``p = 1 / (1 + exp(-(slope x + offset)))``."""

    slope: float
    offset: float

    def apply(self, logits: npt.NDArray[np.floating]) -> Floats:
        """Probabilities in (0, 1) of logits of any shape."""
        line = self.slope * np.asarray(logits, dtype=np.float64) + self.offset
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(line, -500.0, 500.0))))


def fit_platt(logits: npt.NDArray[np.floating], happened: Bools) -> Platt:
    """The line that makes what happened most likely.

    What happened counts as ``(n1 + 1) / (n1 + 2)`` and what did not as ``1 / (n0 + 2)``, which
    keeps the line finite where the two can be told apart.

    Args:
        logits: (n,), log-odds of a classifier, of data it was not trained on.
        happened: (n,).

    Returns:
        The line; the one that changes nothing where all or nothing happened, and a level line
        where the logits say nothing, or the opposite of the truth.

    Raises:
        ShapeError: The two do not belong together.

    Source:
        Platt 1999, "Probabilistic outputs for support vector machines"; Newton's method after Lin,
        Lin and Weng 2007, "A note on Platt's probabilistic outputs".
    """
    if logits.shape != happened.shape or logits.ndim != 1:
        raise ShapeError(f"platt: expected (n,) twice, got {logits.shape} and {happened.shape}")
    yes = int(happened.sum())
    no = len(happened) - yes
    if not yes or not no:
        return Platt(1.0, 0.0)
    targets = np.where(happened, (yes + 1.0) / (yes + 2.0), 1.0 / (no + 2.0))
    level = float(np.log((yes + 1.0) / (no + 1.0)))
    x = np.stack([logits.astype(np.float64), np.ones(len(logits))], axis=1)
    line = np.array([0.0, level])
    loss = _loss(x @ line, targets)
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ line, -500.0, 500.0)))
        slope_of_loss = x.T @ (p - targets)
        curve = (x * (p * (1.0 - p))[:, None]).T @ x + _SMALL * np.eye(2)
        step = np.linalg.solve(curve, slope_of_loss)
        while _loss(x @ (line - step), targets) > loss and np.abs(step).max() > _SMALL:
            step /= 2.0  # Newton's step can overshoot
        line = line - step
        loss = _loss(x @ line, targets)
        if np.abs(step).max() < _SMALL:
            break
    return Platt(float(line[0]), float(line[1])) if line[0] > 0 else Platt(0.0, level)


def _loss(line: Floats, targets: Floats) -> float:
    """Cross-entropy of targets in [0, 1] under log-odds."""
    return float(np.sum(np.logaddexp(0.0, line) - targets * line))
