"""From a fitted recommender to lists, a block of users at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from plmrec.histories import Histories, Ints
from plmrec.metrics.lists import top_k
from plmrec.recommenders.blend import Blend
from plmrec.types import FloatMatrix

_CELLS = 2_000_000  # scores in memory at once per part of a blend: 8 MB


class Scorer(Protocol):
    """The part of a recommender that making lists needs."""

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lists:
    """The best items of each user, best first.

    Attributes:
        items: int64 (n_users, k), places in the catalogue; ``NO_ITEM`` where a list is shorter.
        scores: float32 (n_users, k); -inf where a list is shorter.
        sources: int64 (n_users, k), which part added most, a place in ``parts``.
        parts: Names of the recommender's parts; the recommender's own name if it has none.
    """

    items: Ints
    scores: FloatMatrix
    sources: Ints
    parts: tuple[str, ...]


def row_blocks(n_users: int, n_items: int) -> Iterator[Ints]:
    """Rows 0 to n_users in blocks whose scores fit in memory."""
    step = max(1, _CELLS // max(n_items, 1))
    for start in range(0, n_users, step):
        yield np.arange(start, min(start + step, n_users), dtype=np.int64)


def recommend_lists(
    recommender: Scorer,
    histories: Histories,
    *,
    k: int,
    excluded: Histories | None = None,
    name: str = "",
) -> Lists:
    """Make the list of every user; what the user has seen is left out.

    Args:
        recommender: Fitted; a blend also says which part added most to each item.
        histories: What is known of the users.
        k: Length of the lists.
        excluded: What to leave out, the same users; ``histories`` by default.
        name: Name of a recommender without parts.
    """
    shape = (histories.n_users, k)
    items, sources = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    scores = np.full(shape, -np.inf, dtype=np.float32)
    parts = tuple(recommender.options.parts) if isinstance(recommender, Blend) else (name,)
    for rows in row_blocks(histories.n_users, histories.n_items):
        block = histories.take(rows)
        seen = (histories if excluded is None else excluded).take(rows).seen()
        if isinstance(recommender, Blend):
            _, added = recommender.score_parts(block)
            items[rows], scores[rows] = top_k(np.sum(added, axis=0, dtype=np.float32), seen, k)
            index = np.maximum(items[rows], 0)[None]
            sources[rows] = np.take_along_axis(added, index, axis=2).argmax(axis=0)
        else:
            items[rows], scores[rows] = top_k(recommender.score(block), seen, k)
    return Lists(items=items, scores=scores, sources=sources, parts=parts)
