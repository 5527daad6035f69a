"""Metrics of lists besides hits: how evenly items are shown, how unlike they are, how old."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plmrec.metrics.lists import NO_ITEM
from plmrec.types import FloatMatrix

Items = npt.NDArray[np.int64]
PerItem = npt.NDArray[np.float64]
PerUser = npt.NDArray[np.float64]

_CELLS = 4_000_000  # numbers of vectors in memory at once: 16 MB


def gini_at_k(
    items: Items, n_items: int, k: int, among: npt.NDArray[np.bool_] | None = None
) -> float:
    """Inequality of how often items are shown in the first k: 0 all alike, towards 1 one alone.

    With the exposures sorted upwards, ``sum((2i - n - 1) x_i) / (n sum(x))`` for i = 1..n.

    Args:
        items: int64 (n_users, >= k); ``NO_ITEM`` where a list is shorter.
        n_items: Size of the catalogue; items that are never shown count.
        k: Cut-off, items.
        among: (n_items,), True for the items that could be shown; all by default.

    Returns:
        A fraction in [0, 1); nan when nothing is shown.

    Source:
        Gini 1912, "Variabilità e mutabilità"; for recommenders Fleder and Hosanagar 2009,
        "Blockbuster culture's next rise or fall".

    Example:
        >>> gini_at_k(np.array([[0, 1], [0, 1]]), n_items=4, k=2)
        0.5
    """
    shown = items[:, :k]
    counts = np.bincount(shown[shown != NO_ITEM], minlength=n_items)
    exposures = np.sort(counts if among is None else counts[among]).astype(np.float64)
    n, total = len(exposures), exposures.sum()
    if not total:
        return float("nan")
    return float((2.0 * np.arange(1, n + 1) - n - 1.0) @ exposures / (n * total))


def diversity_at_k(items: Items, vectors: FloatMatrix | None, k: int) -> PerUser:
    """How unlike the items of a list are: 1 minus the mean cosine of its pairs.

    Items without a vector are left out of their list.

    Args:
        items: int64 (n_users, >= k); ``NO_ITEM`` where a list is shorter.
        vectors: float32 (n_items, d), unit rows, or zeros for items without text; None when there
            are no vectors.
        k: Cut-off, items.

    Returns:
        (n_users,), in [0, 2]; nan for lists with fewer than two items with a vector.

    Source:
        Ziegler, McNee, Konstan and Lausen 2005, "Improving recommendation lists through topic
        diversification".

    Example:
        >>> diversity_at_k(np.array([[0, 1]]), np.array([[1.0, 0.0], [0.0, 1.0]]), k=2).tolist()
        [1.0]
    """
    found = np.full(len(items), np.nan)
    if vectors is None:
        return found
    has_vector = np.any(vectors != 0, axis=1)
    step = max(1, _CELLS // max(k * vectors.shape[1], 1))
    for start in range(0, len(items), step):
        shown = items[start : start + step, :k]
        places = np.maximum(shown, 0)
        there = (shown != NO_ITEM) & has_vector[places]
        n = there.sum(axis=1).astype(np.float64)
        rows = np.where(there[:, :, None], vectors[places], 0.0).astype(np.float64)
        # The squared length of a sum of unit vectors is their number plus twice all pairs' cosines.
        twice = (rows.sum(axis=1) ** 2).sum(axis=1) - (rows**2).sum(axis=(1, 2))
        pairs = n * (n - 1.0)
        found[start : start + step] = 1.0 - np.divide(
            twice, pairs, out=np.full(len(n), np.nan), where=pairs > 0
        )
    return found


def age_at_k(items: Items, ages: PerItem, k: int) -> PerUser:
    """Mean age of a list's first k; items of unknown age are left out.

    Args:
        items: int64 (n_users, >= k); ``NO_ITEM`` where a list is shorter.
        ages: float64 (n_items,), in any unit; nan when unknown.
        k: Cut-off, items.

    Returns:
        (n_users,), in the unit of ``ages``; nan for lists without an item of known age.

    Example:
        >>> age_at_k(np.array([[0, 1, 2]]), np.array([2.0, np.nan, 4.0]), k=3).tolist()
        [3.0]
    """
    shown = items[:, :k]
    found = np.where(shown != NO_ITEM, ages[np.maximum(shown, 0)], np.nan)
    known = np.isfinite(found)
    n = known.sum(axis=1)
    total = np.where(known, found, 0.0).sum(axis=1)
    mean = np.full(len(items), np.nan)
    np.divide(total, n, out=mean, where=n > 0)
    return mean
