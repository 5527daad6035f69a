"""Metrics of ranked lists, one value per user; every item outside the training history competes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plmrec.errors import ShapeError
from plmrec.metrics.lists import NO_ITEM

Hits = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
PerUser = npt.NDArray[np.float64]


def _check(name: str, hits: Hits, n_relevant: Counts, k: int) -> None:
    if k < 1 or hits.ndim != 2 or hits.shape[1] < k or n_relevant.shape != hits.shape[:1]:
        raise ShapeError(
            f"{name}@{k}: expected hits (n, >={max(k, 1)}) and n_relevant (n,), "
            f"got {hits.shape} and {n_relevant.shape}"
        )


def find_hits(
    items: npt.NDArray[np.int64], indptr: npt.NDArray[np.int64], relevant: npt.NDArray[np.int64]
) -> Hits:
    """Tell which items of the lists are relevant.

    Args:
        items: int64 (n_users, k), best first; ``NO_ITEM`` where a list is shorter.
        indptr: int64 (n_users + 1,); user u's relevant items are
            ``relevant[indptr[u] : indptr[u + 1]]``.
        relevant: int64 (n,).

    Returns:
        (n_users, k), True where the item at that rank is relevant.

    Example:
        >>> find_hits(np.array([[4, 2, -1]]), np.array([0, 1]), np.array([2])).tolist()
        [[False, True, False]]
    """
    n_users = len(items)
    base = int(max(items.max(initial=0), relevant.max(initial=0))) + 1
    owners = np.repeat(np.arange(n_users), np.diff(indptr))
    keys = np.arange(n_users)[:, None] * base + items
    found = np.isin(keys, owners * base + relevant)
    return np.asarray(found & (items != NO_ITEM))


def recall_at_k(hits: Hits, n_relevant: Counts, k: int) -> PerUser:
    """Share of a user's relevant items that stand in the first k; ``hits / n_relevant``.

    Args:
        hits: (n_users, >= k), best first.
        n_relevant: (n_users,), relevant items each user has in the whole catalogue.
        k: Cut-off, items.

    Returns:
        (n_users,), in [0, 1]; nan for users without a relevant item.

    Raises:
        ShapeError: ``hits`` is narrower than k or disagrees with ``n_relevant``.

    Source:
        Herlocker et al. 2004, "Evaluating collaborative filtering recommender systems".

    Example:
        >>> recall_at_k(np.array([[True, False, True]]), np.array([4]), k=3).tolist()
        [0.5]
    """
    _check("recall", hits, n_relevant, k)
    return _divide(hits[:, :k].sum(axis=1), n_relevant)


def hit_rate_at_k(hits: Hits, n_relevant: Counts, k: int) -> PerUser:
    """1 for a user with any relevant item in the first k, else 0; nan without relevant items.

    Source:
        Deshpande and Karypis 2004, "Item-based top-N recommendation algorithms".

    Example:
        >>> hit_rate_at_k(np.array([[False, True], [False, False]]), np.array([3, 1]), 2).tolist()
        [1.0, 0.0]
    """
    _check("hit_rate", hits, n_relevant, k)
    return np.where(n_relevant > 0, hits[:, :k].any(axis=1).astype(np.float64), np.nan)


def ndcg_at_k(hits: Hits, n_relevant: Counts, k: int) -> PerUser:
    """Normalised discounted cumulative gain with binary gains.

    A user's DCG sums ``1 / log2(rank + 1)`` over hits at ranks 1..k; the ideal puts
    ``min(n_relevant, k)`` hits first.

    Args:
        hits: (n_users, >= k), best first.
        n_relevant: (n_users,), relevant items each user has in the whole catalogue.
        k: Cut-off, items.

    Returns:
        (n_users,), in [0, 1]; nan for users without a relevant item, whose ideal is 0.

    Raises:
        ShapeError: ``hits`` is narrower than k or disagrees with ``n_relevant``.

    Source:
        Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques".

    Example:
        >>> ndcg_at_k(np.array([[True, False, True]]), np.array([2]), k=3).round(4).tolist()
        [0.9197]
    """
    _check("ndcg", hits, n_relevant, k)
    discount = 1.0 / np.log2(np.arange(k) + 2.0)
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(n_relevant, k)]
    return _divide(hits[:, :k] @ discount, ideal)


def reciprocal_rank(hits: Hits, n_relevant: Counts, k: int) -> PerUser:
    """``1 / rank`` of the first hit in the first k, 0 without one; its mean is MRR@k.

    Returns:
        (n_users,), in [0, 1]; nan for users without a relevant item.

    Source:
        Voorhees 1999, "The TREC-8 question answering track report".

    Example:
        >>> reciprocal_rank(np.array([[False, True, True]]), np.array([2]), k=3).tolist()
        [0.5]
    """
    _check("mrr", hits, n_relevant, k)
    first = hits[:, :k].argmax(axis=1) + 1.0
    rank = np.where(hits[:, :k].any(axis=1), 1.0 / first, 0.0)
    return np.where(n_relevant > 0, rank, np.nan)


def coverage_at_k(items: npt.NDArray[np.int64], n_items: int, k: int) -> float:
    """Share of the catalogue that stands in at least one list's first k.

    Args:
        items: int64 (n_users, >= k); ``NO_ITEM`` where a list is shorter.
        n_items: Size of the catalogue.
        k: Cut-off, items.

    Returns:
        A fraction in [0, 1]; nan for an empty catalogue.

    Source:
        Ge, Delgado-Battenfeld and Jannach 2010, "Beyond accuracy: evaluating recommender systems
        by coverage and serendipity".

    Example:
        >>> coverage_at_k(np.array([[0, 1], [0, 2]]), n_items=4, k=2)
        0.75
    """
    shown = np.unique(items[:, :k])
    return float((shown != NO_ITEM).sum() / n_items) if n_items else float("nan")


def novelty_at_k(items: npt.NDArray[np.int64], counts: npt.NDArray[np.float64], k: int) -> PerUser:
    """Mean self-information of a list's first k, in bits; higher is less popular.

    An item's self-information is ``-log2((count + 1) / (total + n_items))``: the probability that
    a random liked item is this one, with one count added so that unseen items stay finite.

    Args:
        items: int64 (n_users, >= k); ``NO_ITEM`` where a list is shorter.
        counts: float64 (n_items,), how many users liked each item in training.
        k: Cut-off, items.

    Returns:
        (n_users,), bits, >= 0; nan for an empty list.

    Source:
        Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma of recommender systems".

    Example:
        >>> novelty_at_k(np.array([[0, 1]]), np.array([2.0, 0.0]), k=2).round(4).tolist()
        [1.2075]
    """
    surprise = -np.log2((counts + 1.0) / (counts.sum() + len(counts)))
    shown = items[:, :k]
    there = shown != NO_ITEM
    total = np.where(there, surprise[np.where(there, shown, 0)], 0.0).sum(axis=1)
    return _divide(total, there.sum(axis=1))


def _divide(above: npt.NDArray[np.generic], below: npt.NDArray[np.generic]) -> PerUser:
    """Quotient per user; nan where the divisor is 0."""
    divisor = np.asarray(below, dtype=np.float64)
    result = np.full(len(divisor), np.nan)
    np.divide(np.asarray(above, dtype=np.float64), divisor, out=result, where=divisor > 0)
    return result
