"""Retrieve, filter, rank: lists of unseen items for a block of users, and what brought them up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from plmrec.histories import Histories, Ints
from plmrec.metrics.lists import NO_ITEM, top_k
from plmrec.recommend.release import LoadedRelease
from plmrec.types import FloatMatrix

FALLBACK: Final = "recent_popularity"  # source of what users without likes are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Lists of a block of users.

    Attributes:
        items: int64 (n_users, k), places in the catalogue, best first; ``NO_ITEM`` where fewer
            than k unseen items exist.
        scores: float32 (n_users, k).
        added: float32 (n_parts, n_users, k), what each part of the blend adds to each score.
        parts: Names of the parts.
        is_personal: (n_parts,), True for parts that depend on what the user liked.
        is_fallback: (n_users,), True for users who liked nothing yet: their list is popularity.
    """

    items: Ints
    scores: FloatMatrix
    added: FloatMatrix
    parts: tuple[str, ...]
    is_personal: npt.NDArray[np.bool_]
    is_fallback: npt.NDArray[np.bool_]

    def sources(self) -> npt.NDArray[np.object_]:
        """Name of the part that brought up each item, object (n_users, k).

        It is the personal part that added most. Popularity adds to the same items for everyone,
        so it is named only where no personal part speaks for the item.
        """
        names = np.array(self.parts, dtype=object)
        personal = np.where(self.is_personal[:, None, None], self.added, -np.inf)
        best = np.argmax(personal, axis=0)
        is_raised = np.take_along_axis(personal, best[None], axis=0)[0] > 0
        chosen = names[np.where(is_raised, best, np.argmax(self.added, axis=0))]
        return np.where(self.is_fallback[:, None], FALLBACK, chosen)


def rank_items(release: LoadedRelease, histories: Histories, k: int) -> Lists:
    """Rank the unseen items for each user.

    Args:
        release: Over the same catalogue as the histories.
        histories: n_users rows.
        k: Length of the lists.
    """
    parts = tuple(release.blend.options.parts)
    common = release.kinds.same_for_all
    shape = (histories.n_users, k)
    lists = Lists(
        items=np.full(shape, NO_ITEM, dtype=np.int64),
        scores=np.full(shape, -np.inf, dtype=np.float32),
        added=np.zeros((len(parts), *shape), dtype=np.float32),
        parts=parts,
        is_personal=np.array([name not in common for name in parts], dtype=np.bool_),
        is_fallback=np.diff(histories.positives().indptr) == 0,
    )
    if not release.catalogue.n_items or not histories.n_users:
        return lists
    _, added = release.blend.score_parts(histories)
    scores = np.asarray(np.sum(added, axis=0, dtype=np.float32))
    items, best = top_k(scores, histories.seen(), k)
    there = np.maximum(items, 0)  # NO_ITEM reads the first item's, which nobody looks at
    return replace(
        lists, items=items, scores=best, added=np.take_along_axis(added, there[None], axis=2)
    )
