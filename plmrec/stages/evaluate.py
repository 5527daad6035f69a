"""Stage "evaluate": what a recommender is worth on held-out likes, against others on the same."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from plmrec.errors import DataContractError
from plmrec.histories import Bools, Ints, TrainingData
from plmrec.recommenders.blend import Blend
from plmrec.splits import Split, checked
from plmrec.stages.judging import Judgement, judge_lists
from plmrec.stages.recipe import Recipe, fit_recipe
from plmrec.stages.scoring import Scorer, list_items
from plmrec.stages.tuning import draw_judged


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """One recommender, fitted on the training side of a split and judged on the other.

    Attributes:
        judgement: Metrics of its lists, per user.
        slices: (n_judged,) per slice of users, True for those in it.
        baselines: Metrics by name, for each part of the recommender alone.
        split_digest: Two evaluations can be compared when this is the same.
        split_kind: ``time``, ``last`` or ``random``.
        k: Length of the lists.
    """

    judgement: Judgement
    slices: dict[str, Bools]
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)
    split_digest: str
    split_kind: str
    k: int

    @property
    def n_judged(self) -> int:
        """Users that were judged."""
        return len(next(iter(self.judgement.per_user.values())))

    def metrics(self) -> dict[str, float]:
        """Mean of every metric, by its full name; ``cold_*`` for items nobody liked in training."""
        judged = self.judgement
        cold = {
            f"cold_recall@{self.k}": judged.cold_recall,
            f"cold_share@{self.k}": judged.cold_share,
        }
        return judged.means() | cold

    def slice_metrics(self) -> dict[str, dict[str, float]]:
        """Mean of every metric per slice of users, with ``users``, the number in it."""
        return {
            name: {"users": float(users.sum()), **self.judgement.means(users)}
            for name, users in self.slices.items()
        }


def evaluate_recipe(
    recipe: Recipe,
    data: TrainingData,
    split: Split,
    *,
    k: int,
    max_users: int = 10_000,
    with_baselines: bool = False,
) -> Evaluation:
    """Fit a recipe on the training side of a split and judge its lists; all items compete.

    Args:
        recipe: See ``fit_recipe``.
        data: What the split was made of.
        split: Checked again for leaks here.
        k: Length of the lists.
        max_users: Users to judge; the same ones are drawn for every recipe when there are more.
        with_baselines: Judge popularity and each part of a blend alone, too.

    Raises:
        DataContractError: Something held out leaks into training, or nobody can be judged.
    """
    checked(split)
    rows = draw_judged(split, max_users, seed=0)
    if not len(rows):
        raise DataContractError(
            "evaluate: expected users with held-out likes, found none",
            hint="Give interactions of more users, or over a longer time",
        )
    before = data.with_histories(split.train)
    model = fit_recipe(recipe, before)
    alone: dict[str, Scorer] = {}
    if with_baselines:
        alone["popularity"] = fit_recipe({"backend": "popularity", "options": {}}, before)
        alone |= model.parts if isinstance(model, Blend) else {}
    return Evaluation(
        judgement=judge(model, split, rows, k),
        slices=slice_users(split, rows),
        baselines={name: judge(each, split, rows, k).means() for name, each in alone.items()},
        split_digest=split.digest(),
        split_kind=split.kind,
        k=k,
    )


def judge(scorer: Scorer, split: Split, rows: Ints, k: int) -> Judgement:
    """Judge the lists of some users by a recommender fitted on ``split.train``."""
    items = list_items(scorer, split.train.take(rows), k=k, excluded=split.excluded.take(rows))
    return judge_lists(items, split, rows)


def slice_users(split: Split, rows: Ints) -> dict[str, Bools]:
    """Slices of the judged users by how much they liked in training.

    ``new_users`` liked nothing; ``light_users`` and ``heavy_users`` are the lower and the upper
    third of the others.
    """
    likes = np.diff(split.train.take(rows).positives().indptr)
    known = likes > 0
    low, high = np.quantile(likes[known], [1 / 3, 2 / 3]) if known.any() else (0.0, np.inf)
    return {
        "new_users": ~known,
        "light_users": known & (likes <= low),
        "heavy_users": known & (likes > high),
    }
