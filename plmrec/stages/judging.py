"""What lists are worth, one value per user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from plmrec.histories import Bools, Floats, Histories, Ints, TrainingData
from plmrec.metrics.classification import classify_lists
from plmrec.metrics.lists import NO_ITEM
from plmrec.metrics.ranking import (
    coverage_at_k,
    find_hits,
    hit_rate_at_k,
    ndcg_at_k,
    novelty_at_k,
    recall_at_k,
    reciprocal_rank,
)
from plmrec.metrics.variety import age_at_k, diversity_at_k, gini_at_k
from plmrec.splits import Split

_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """Metrics of the lists of the judged users.

    Attributes:
        k: Length of the lists.
        items: int64 (n_judged, k), the lists.
        per_user: float64 (n_judged,) per metric, by its full name such as ``ndcg@10``.
        coverage: Share of the competing items in any list.
        gini: Inequality of how often the competing items are shown.
        cold_recall: Held-out items that nobody liked in training: share found; nan without any.
        cold_share: Share of the places in the lists given to such items.
        n_cold: Number of such held-out items.
    """

    k: int
    items: Ints
    per_user: dict[str, Floats]
    coverage: float
    gini: float
    cold_recall: float
    cold_share: float
    n_cold: int

    def means(self, users: Bools | None = None) -> dict[str, float]:
        """Mean over users of every metric.

        Args:
            users: (n_judged,), True for the users to average; all by default.
        """
        values = {}
        for name, per_user in self.per_user.items():
            known = per_user if users is None else per_user[users]
            known = known[np.isfinite(known)]
            values[name] = float(known.mean()) if known.size else float("nan")
        if users is None:
            values |= {f"coverage@{self.k}": self.coverage, f"gini@{self.k}": self.gini}
        return values


def judge_lists(
    items: Ints, split: Split, rows: Ints, *, before: TrainingData | None = None
) -> Judgement:
    """Compare lists with what was held out.

    Args:
        items: int64 (n_judged, k), best first.
        split: The split; training tells popularity and what is cold.
        rows: int64 (n_judged,), the split's users that the lists belong to.
        before: What the recommender was fitted on, to judge its lists' diversity and age, too.
    """
    heldout, k, n_items = split.heldout.take(rows), items.shape[1], split.heldout.n_items
    n_candidates = n_items if split.candidates is None else int(split.candidates.sum())
    hits = find_hits(items, heldout.indptr, heldout.items)
    n_relevant = np.diff(heldout.indptr)
    counts = liked_counts(split.train)
    candidates = n_candidates - _count_excluded(split, rows)
    yes_or_no = classify_lists(hits, (items != NO_ITEM).sum(axis=1), n_relevant, candidates)
    is_cold = counts == 0
    cold_hits = int((hits & is_cold[np.maximum(items, 0)]).sum())
    n_cold = int(is_cold[heldout.items].sum())
    shown = items[items != NO_ITEM]
    return Judgement(
        k=k,
        items=items,
        per_user={
            f"recall@{k}": recall_at_k(hits, n_relevant, k),
            f"ndcg@{k}": ndcg_at_k(hits, n_relevant, k),
            "mrr": reciprocal_rank(hits, n_relevant, k),
            f"hit_rate@{k}": hit_rate_at_k(hits, n_relevant, k),
            f"novelty@{k}": novelty_at_k(items, counts, k),
            "accuracy": yes_or_no.accuracy,
            "precision": yes_or_no.precision,
            "recall": yes_or_no.recall,
            "f1": yes_or_no.f1,
            **({} if before is None else _judge_variety(items, before)),
        },
        coverage=coverage_at_k(items, n_candidates, k),
        gini=gini_at_k(items, n_items, k, split.candidates),
        cold_recall=cold_hits / n_cold if n_cold else float("nan"),
        cold_share=float(is_cold[shown].mean()) if shown.size else 0.0,
        n_cold=n_cold,
    )


def liked_counts(histories: Histories) -> Floats:
    """float64 (n_items,), how many users liked each item."""
    liked = histories.positives().items
    return np.bincount(liked, minlength=histories.n_items).astype(np.float64)


def item_ages(data: TrainingData) -> Floats:
    """float64 (n_items,), days from an item's appearance to the clock; nan when unknown.

    An item appears when it is published; where that is unknown, with its first dated entry in any
    history. What appears after the clock is of age 0.
    """
    first = np.full(data.catalogue.n_items, np.inf)
    np.fmin.at(first, data.histories.items, data.histories.times)
    first[np.isinf(first)] = np.nan
    published = data.catalogue.published_at
    if published is not None:
        first = np.where(np.isfinite(published), published, first)
    return np.asarray(np.maximum(data.now - first, 0.0) / _DAY)


def _judge_variety(items: Ints, before: TrainingData) -> dict[str, Floats]:
    """Per user, how unlike the items of the list are, and how old."""
    k = items.shape[1]
    return {
        f"diversity@{k}": diversity_at_k(items, before.catalogue.vectors, k),
        f"age_days@{k}": age_at_k(items, item_ages(before), k),
    }


def _count_excluded(split: Split, rows: Ints) -> Ints:
    """int64 (n_judged,), how many of the competing items are left out of each user's list."""
    excluded = split.excluded.take(rows)
    if split.candidates is not None:
        excluded = excluded.keep(split.candidates[excluded.items])
    return np.diff(excluded.indptr)
