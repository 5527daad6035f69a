"""Recommendations for one user: the list, and for each item the reason that is true of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from plmrec.histories import Histories
from plmrec.metrics.lists import NO_ITEM
from plmrec.recommend.lists import Lists, rank_items
from plmrec.recommend.reasons import ItemFacts, explain_item, popular
from plmrec.recommend.release import LoadedRelease
from plmrec.recommenders.base import Contribution
from plmrec.types import FloatMatrix, Passage, Reason, Recommendation

# The passage of each item that is nearest to a vector, float32 (d,); items without one are absent.
FindPassages: TypeAlias = Callable[[Sequence[str], FloatMatrix], Mapping[str, Passage]]


def recommend_items(
    release: LoadedRelease,
    history: Histories,
    *,
    k: int,
    facts: Sequence[ItemFacts],
    find_passages: FindPassages,
) -> list[Recommendation]:
    """Recommend k unseen items to one user, each with its reason.

    Args:
        release: Over the same catalogue as the history.
        history: One row; it may be empty.
        k: Items to recommend; fewer come back only when fewer are unseen.
        facts: Of every item of the catalogue, by place.
        find_passages: Finds the passages that reasons quote.
    """
    lists = rank_items(release, history, k)
    explainer = _Explainer(release, history, lists, facts=facts, find_passages=find_passages)
    return [
        Recommendation(
            user_id=history.user_ids[0],
            rank=column + 1,
            item_id=facts[place].item_id,
            title=facts[place].title,
            score=float(lists.scores[0, column]),
            source=str(lists.sources()[0, column]),
            release=release.version,
            reason=explainer.explain(column),
        )
        for column, place in enumerate(lists.items[0].tolist())
        if place != NO_ITEM
    ]


class _Explainer:
    """Reasons for the items of one user's list."""

    def __init__(
        self,
        release: LoadedRelease,
        history: Histories,
        lists: Lists,
        *,
        facts: Sequence[ItemFacts],
        find_passages: FindPassages,
    ) -> None:
        self._release = release
        self._history = history
        self._lists = lists
        self._facts = facts
        self._liked = frozenset(history.positives().items.tolist())
        item_ids = [facts[place].item_id for place in lists.items[0] if place != NO_ITEM]
        taste = _taste(release, history)
        self._passages = {} if taste is None else find_passages(item_ids, taste)

    def explain(self, column: int) -> Reason:
        """Give the reason for the item at one place of the list."""
        if self._lists.is_fallback[0]:
            return popular(is_liked=bool(self._lists.scores[0, column] > 0))
        place = int(self._lists.items[0, column])
        item = self._facts[place]
        return explain_item(
            item,
            contributions=self._contributions(place, column),
            kinds=self._release.kinds,
            liked=self._liked,
            facts=self._facts,
            passage=self._passages.get(item.item_id),
        )

    def _contributions(self, place: int, column: int) -> list[Contribution]:
        """What the parts add, strongest first, with the user's own items behind each."""
        added = self._lists.added[:, 0, column]
        found = []
        for row in np.argsort(-added, kind="stable"):
            name, value = self._lists.parts[row], float(added[row])
            below = self._release.blend.parts[name].explain(self._history, place)
            items, tags = (below[0].items, below[0].tags) if below else ((), ())
            found.append(Contribution(part=name, value=value, items=items, tags=tags))
        return found


def _taste(release: LoadedRelease, history: Histories) -> FloatMatrix | None:
    """Unit mean of the vectors of what the user liked, float32 (d,); None when there is none."""
    vectors, liked = release.catalogue.vectors, history.positives()
    if vectors is None or not liked.items.size:
        return None
    mean = np.asarray(liked.weights @ vectors[liked.items], dtype=np.float32)
    length = float(np.linalg.norm(mean))
    return mean / np.float32(length) if length > 0 else None
