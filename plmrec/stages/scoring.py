"""From a fitted recommender to lists of items, a block of users at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import numpy as np

from plmrec.histories import Bools, Histories, Ints
from plmrec.metrics.lists import NO_ITEM, top_k
from plmrec.types import FloatMatrix

_CELLS: Final = 2_000_000  # scores in memory at once, per part of a blend: 8 MB


class Scorer(Protocol):
    """The part of a recommender that making lists needs."""

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score."""
        ...


def row_blocks(n_users: int, n_items: int) -> Iterator[Ints]:
    """Rows 0 to n_users in blocks whose scores fit in memory."""
    step = max(1, _CELLS // max(n_items, 1))
    for start in range(0, n_users, step):
        yield np.arange(start, min(start + step, n_users), dtype=np.int64)


def list_items(
    scorer: Scorer,
    histories: Histories,
    *,
    k: int,
    excluded: Histories,
    candidates: Bools | None = None,
) -> Ints:
    """Make the list of every user.

    Args:
        scorer: Fitted.
        histories: What the scorer is told of the users.
        k: Length of the lists.
        excluded: What to leave out; the same users in the same order.
        candidates: (n_items,), True for the items that compete; all by default.

    Returns:
        int64 (n_users, k), places in the catalogue, best first; ``NO_ITEM`` where a list is
        shorter.
    """
    items = np.full((histories.n_users, k), NO_ITEM, dtype=np.int64)
    if not histories.n_items:
        return items
    for rows in row_blocks(histories.n_users, histories.n_items):
        scores = scorer.score(histories.take(rows))
        left_out = excluded.take(rows).seen()
        if candidates is not None:
            left_out |= ~candidates
        items[rows], _ = top_k(scores, left_out, k)
    return items
