"""Choosing a few of many: central or relevant ones that do not repeat each other."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from plmrec.types import FloatMatrix

_STEPS: Final = 100
_ENOUGH: Final = 1e-6


def centrality(vectors: FloatMatrix, *, damping: float = 0.85) -> npt.NDArray[np.float64]:
    """How much each of n texts is like the others, by their vectors: LexRank, continuous.

    Args:
        vectors: float32 (n, d), unit rows, n >= 1.
        damping: Share of the likeness, against an equal share for each.

    Returns:
        (n,), > 0, adding up to 1.

    Source:
        Erkan and Radev 2004, "LexRank: graph-based lexical centrality as salience in text
        summarization", with cosines of vectors in place of those of words.
    """
    n = len(vectors)
    likeness = np.clip(vectors.astype(np.float64) @ vectors.T.astype(np.float64), 0.0, None)
    np.fill_diagonal(likeness, 0.0)
    sums = likeness.sum(axis=1, keepdims=True)
    moves = np.where(sums > _ENOUGH, likeness / np.maximum(sums, _ENOUGH), 1.0 / n)
    rank = np.full(n, 1.0 / n)
    for _ in range(_STEPS):
        new = (1.0 - damping) / n + damping * (rank @ moves)
        if np.abs(new - rank).max() < _ENOUGH:
            return np.asarray(new)
        rank = new
    return rank


def choose(
    worth: npt.NDArray[np.floating], vectors: FloatMatrix, *, k: int, diversity: float
) -> list[int]:
    """Choose up to k of n by maximal marginal relevance; ties go to the first.

    Args:
        worth: (n,), larger is better, in [0, 1].
        vectors: float32 (n, d), unit rows.
        k: How many.
        diversity: In [0, 1]; weight of being unlike those chosen before, against worth.

    Returns:
        Places, in the order they were chosen.

    Source:
        Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking for reordering
        documents and producing summaries".
    """
    chosen: list[int] = []
    nearest = np.zeros(len(worth))
    free = np.ones(len(worth), dtype=np.bool_)
    while len(chosen) < min(k, len(worth)):
        gain = np.where(free, (1.0 - diversity) * worth - diversity * nearest, -np.inf)
        best = int(gain.argmax())
        chosen.append(best)
        free[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen
