"""Metrics of lists read as yes-or-no predictions: what is in the list is predicted liked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plmrec.errors import ShapeError

PerUser = npt.NDArray[np.float64]


class Classification(NamedTuple):
    """One value per user of each metric, each float64 (n_users,)."""

    accuracy: PerUser
    precision: PerUser
    recall: PerUser
    f1: PerUser


def classify_lists(
    hits: npt.NDArray[np.bool_],
    n_listed: npt.NDArray[np.int64],
    n_relevant: npt.NDArray[np.int64],
    n_candidates: npt.NDArray[np.int64],
) -> Classification:
    """Judge each user's list as the predicted positives among all items the user had not seen.

    With TP the hits, FP the rest of the list, FN the relevant items outside it and TN all other
    candidates: ``accuracy = (TP + TN) / candidates``, ``precision = TP / (TP + FP)``, ``recall =
    TP / (TP + FN)``, ``f1 = 2 TP / (2 TP + FP + FN)``. As nearly all candidates are TN, accuracy is
    close to 1 for any recommender and says little; it is there because readers ask for it.

    Args:
        hits: (n_users, k), True where the item at that rank is relevant.
        n_listed: (n_users,), length of each list, at most k.
        n_relevant: (n_users,), relevant items among the candidates.
        n_candidates: (n_users,), items that could have been listed.

    Returns:
        Values in [0, 1]; nan for users without a relevant item, precision also nan for an empty
        list.

    Raises:
        ShapeError: The arrays do not belong to the same users.

    Source:
        van Rijsbergen 1979, "Information Retrieval", chapter 7.

    Example:
        >>> one = classify_lists(np.array([[True, False]]), np.array([2]), np.array([3]),
        ...                      np.array([10]))
        >>> [float(value[0].round(2)) for value in one]
        [0.7, 0.5, 0.33, 0.4]
    """
    shape = hits.shape[:1]
    if not (hits.ndim == 2 and n_listed.shape == n_relevant.shape == n_candidates.shape == shape):
        raise ShapeError(
            f"classify_lists: expected hits (n, k) and counts (n,), got {hits.shape}, "
            f"{n_listed.shape}, {n_relevant.shape} and {n_candidates.shape}"
        )
    tp = hits.sum(axis=1).astype(np.float64)
    fp, fn = n_listed - tp, n_relevant - tp
    judged = n_relevant > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (
            (n_candidates - fp - fn) / n_candidates,
            tp / n_listed,
            tp / n_relevant,
            2 * tp / (2 * tp + fp + fn),
        )
    return Classification(*(np.where(judged, value, np.nan) for value in values))
