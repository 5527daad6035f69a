"""How much each entry of a history counts when it is scored."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from plmrec.histories import Floats, Histories

Reads: TypeAlias = Literal["liked", "seen"]


def evidence(histories: Histories, reads: Reads) -> Histories:
    """The entries a recommender learns from and scores with.

    Args:
        histories: Whole histories.
        reads: ``liked`` keeps what the user liked, with its weight. ``seen`` keeps everything, each
            with weight 1: what somebody tried and disliked still tells what they try next.
    """
    if reads == "liked":
        return histories.positives()
    return replace(histories, weights=np.ones(len(histories.items)))


def recency_weights(histories: Histories, decay_items: float | None) -> Floats:
    """Weight of each entry by how many of the user's entries came after it.

    ``exp(-rank / decay_items)``, where the last entry has rank 0. Counting items instead of days
    works for users who act in short sittings as for those who come daily. Rows without any time
    have no order, so their entries all weigh 1.

    Args:
        histories: What to weigh, usually ``evidence``.
        decay_items: Entries after which the weight has fallen to 1/e; None weighs all alike.

    Returns:
        float64 (n,), in (0, 1].

    Source:
        Ding and Li 2005, "Time weight collaborative filtering", with ranks instead of days.
    """
    if decay_items is None:
        return np.ones(len(histories.items))
    undated = np.isnan(histories.last_times())[histories.users]
    return np.where(undated, 1.0, np.exp(-histories.ranks_from_end() / decay_items))
