"""Metrics of predicted probabilities of something that did or did not happen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plmrec.errors import ShapeError
from plmrec.metrics.calibration import calibration_error

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_SMALL = 1e-7  # a probability of 0 or 1 that is wrong would cost infinitely much


def area_under_curve(scores: npt.NDArray[np.floating], happened: Bools) -> float:
    """Chance that what happened scores above what did not; ties count one half.

    Args:
        scores: (n,), higher says yes.
        happened: (n,).

    Returns:
        In [0, 1], 0.5 for scores that say nothing; nan when all or nothing happened.

    Raises:
        ShapeError: The two do not belong together.

    Source:
        Hanley and McNeil 1982, "The meaning and use of the area under a receiver operating
        characteristic (ROC) curve".

    Example:
        >>> area_under_curve(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]) > 0)
        0.875
    """
    _same(scores, happened)
    yes = int(happened.sum())
    no = len(happened) - yes
    if not yes or not no:
        return float("nan")
    _, row, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2.0
    return float((ranks[row][happened].sum() - yes * (yes + 1) / 2.0) / (yes * no))


def log_loss(probabilities: Floats, happened: Bools) -> float:
    """Mean of ``-ln p`` of what happened and ``-ln(1 - p)`` of what did not; nan for nothing.

    Probabilities are kept 1e-7 off 0 and 1.

    Raises:
        ShapeError: The two do not belong together.

    Example:
        >>> round(log_loss(np.array([0.5, 0.5]), np.array([True, False])), 4)
        0.6931
    """
    _same(probabilities, happened)
    if not len(happened):
        return float("nan")
    p = np.clip(probabilities, _SMALL, 1.0 - _SMALL)
    return float(-np.mean(np.where(happened, np.log(p), np.log1p(-p))))


def best_threshold(probabilities: Floats, happened: Bools) -> float:
    """The probability from which on to predict yes, so that F1 is highest.

    Halfway between two predictions, so that rounding cannot flip one; the highest of several.

    Returns:
        In [0, 1]; 0.5 when nothing happened.

    Raises:
        ShapeError: The two do not belong together.

    Example:
        >>> round(best_threshold(np.array([0.1, 0.4, 0.6, 0.8]), np.array([0, 0, 1, 1]) > 0), 2)
        0.5
    """
    _same(probabilities, happened)
    if not happened.any():
        return 0.5
    values, row = np.unique(probabilities, return_inverse=True)
    hits = np.bincount(row, happened)[::-1].cumsum()[::-1]
    called = np.bincount(row)[::-1].cumsum()[::-1]
    f1 = 2.0 * hits / (called + happened.sum())
    best = len(f1) - 1 - int(np.argmax(f1[::-1]))
    below = values[best - 1] if best else 0.0
    return float((values[best] + below) / 2.0)


def judge_probabilities(
    probabilities: Floats, happened: Bools, threshold: float
) -> dict[str, float]:
    """All metrics of some predictions, where those from the threshold on say yes.

    Args:
        probabilities: (n,), in [0, 1].
        happened: (n,).
        threshold: In [0, 1].

    Returns:
        ``accuracy``, ``precision``, ``recall``, ``f1``, ``auc``, ``calibration_error``,
        ``log_loss``, ``threshold`` and ``n``; nan where a metric is not defined.

    Raises:
        ShapeError: The two do not belong together.

    Example:
        >>> found = judge_probabilities(np.array([0.2, 0.6, 0.9]), np.array([0, 0, 1]) > 0, 0.5)
        >>> [round(found[name], 2) for name in ("accuracy", "precision", "recall", "f1", "auc")]
        [0.67, 0.5, 1.0, 0.67, 1.0]
    """
    _same(probabilities, happened)
    said = probabilities >= threshold
    n, yes, called = len(happened), float(happened.sum()), float(said.sum())
    hits = float((said & happened).sum())
    return {
        "accuracy": _share(float((said == happened).sum()), n),
        "precision": _share(hits, called),
        "recall": _share(hits, yes),
        "f1": _share(2.0 * hits, called + yes),
        "auc": area_under_curve(probabilities, happened),
        "calibration_error": calibration_error(probabilities, happened),
        "log_loss": log_loss(probabilities, happened),
        "threshold": threshold,
        "n": float(n),
    }


def _share(part: float, whole: float) -> float:
    """A quotient, nan of nothing."""
    return part / whole if whole else float("nan")


def _same(scores: npt.NDArray[np.floating], happened: Bools) -> None:
    """Refuse arrays that do not belong together."""
    if scores.shape != happened.shape or scores.ndim != 1:
        raise ShapeError(
            f"probabilities: expected two arrays (n,), got {scores.shape} and {happened.shape}"
        )
