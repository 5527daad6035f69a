"""What lists are worth, one value per user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plmrec.histories import Bools, Floats, Histories, Ints
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
from plmrec.splits import Split


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """Metrics of the lists of the judged users.

    Attributes:
        k: Length of the lists.
        per_user: float64 (n_judged,) per metric, by its full name such as ``ndcg@10``.
        coverage: Share of the catalogue in any list.
        cold_recall: Held-out items that nobody liked in training: share found; nan without any.
        cold_share: Share of the places in the lists given to such items.
        n_cold: Number of such held-out items.
    """

    k: int
    per_user: dict[str, Floats]
    coverage: float
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
            values[f"coverage@{self.k}"] = self.coverage
        return values


def judge_lists(items: Ints, split: Split, rows: Ints) -> Judgement:
    """Compare lists with what was held out.

    Args:
        items: int64 (n_judged, k), best first.
        split: The split; training tells popularity and what is cold.
        rows: int64 (n_judged,), the split's users that the lists belong to.
    """
    heldout, k, n_items = split.heldout.take(rows), items.shape[1], split.heldout.n_items
    hits = find_hits(items, heldout.indptr, heldout.items)
    n_relevant = np.diff(heldout.indptr)
    counts = liked_counts(split.train)
    candidates = n_items - np.diff(split.excluded.take(rows).indptr)
    yes_or_no = classify_lists(hits, (items != NO_ITEM).sum(axis=1), n_relevant, candidates)
    is_cold = counts == 0
    cold_hits = int((hits & is_cold[np.maximum(items, 0)]).sum())
    n_cold = int(is_cold[heldout.items].sum())
    shown = items[items != NO_ITEM]
    return Judgement(
        k=k,
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
        },
        coverage=coverage_at_k(items, n_items, k),
        cold_recall=cold_hits / n_cold if n_cold else float("nan"),
        cold_share=float(is_cold[shown].mean()) if shown.size else 0.0,
        n_cold=n_cold,
    )


def liked_counts(histories: Histories) -> Floats:
    """float64 (n_items,), how many users liked each item."""
    liked = histories.positives().items
    return np.bincount(liked, minlength=histories.n_items).astype(np.float64)
