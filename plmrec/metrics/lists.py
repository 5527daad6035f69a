"""From scores to lists: the best k unseen items of each user."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plmrec.errors import ShapeError
from plmrec.types import FloatMatrix

NO_ITEM = -1


def top_k(
    scores: FloatMatrix, seen: npt.NDArray[np.bool_] | None, k: int
) -> tuple[npt.NDArray[np.int64], FloatMatrix]:
    """Best k items of each user, best first, items of equal score in catalogue order.

    Args:
        scores: (n_users, n_items), finite.
        seen: (n_users, n_items), True for items to leave out; None leaves out nothing.
        k: Length of the lists; at least 1.

    Returns:
        Items int64 (n_users, k) and their scores (n_users, k). Where fewer than k items are left,
        the rest of the row is ``NO_ITEM`` with score -inf.

    Raises:
        ShapeError: ``scores`` is not 2-D, ``seen`` disagrees with it, or k is below 1.

    Example:
        >>> items, _ = top_k(np.array([[0.5, 0.9, 0.5]]), np.array([[False, True, False]]), k=3)
        >>> items.tolist()
        [[0, 2, -1]]
    """
    if scores.ndim != 2 or k < 1 or (seen is not None and seen.shape != scores.shape):
        shape = None if seen is None else seen.shape
        raise ShapeError(
            f"top_k: expected scores (n, m), seen alike, k >= 1, got {scores.shape}, {shape}, {k}"
        )
    left = scores if seen is None else np.where(seen, -np.inf, scores)
    n_users, n_items = left.shape
    width = min(k, n_items)
    chosen = _best(left, width)
    values = np.take_along_axis(left, chosen, axis=1)
    order = np.lexsort((chosen, -values), axis=1)
    chosen, values = (np.take_along_axis(part, order, axis=1) for part in (chosen, values))
    items = np.full((n_users, k), NO_ITEM, dtype=np.int64)
    best = np.full((n_users, k), -np.inf, dtype=scores.dtype)
    items[:, :width] = np.where(np.isneginf(values), NO_ITEM, chosen)
    best[:, :width] = values
    return items, best


def _best(left: FloatMatrix, width: int) -> npt.NDArray[np.int64]:
    """Places of the ``width`` largest values per row; ties at the border go to the lower place."""
    n_items = left.shape[1]
    if width == n_items:
        return np.tile(np.arange(n_items), (len(left), 1))
    chosen = np.argpartition(left, n_items - width, axis=1)[:, n_items - width :]
    values = np.take_along_axis(left, chosen, axis=1)
    border = values.min(axis=1, keepdims=True)
    wanted = (values == border).sum(axis=1)
    for row in np.flatnonzero((left == border).sum(axis=1) > wanted):
        above = np.flatnonzero(left[row] > border[row])
        tied = np.flatnonzero(left[row] == border[row])[: wanted[row]]
        chosen[row] = np.concatenate([above, tied])
    return chosen.astype(np.int64)
