"""Stage "evaluate": what a recommender is worth on held-out likes, against others on the same."""

from __future__ import annotations

from dataclasses import dataclass, field

from plmrec.errors import DataContractError
from plmrec.histories import Bools, Ints, TrainingData
from plmrec.recommenders.blend import Blend
from plmrec.splits import Split, checked
from plmrec.stages.judging import Judgement, judge_lists
from plmrec.stages.recipe import Recipe, fit_recipe
from plmrec.stages.scoring import Scorer, list_items
from plmrec.stages.slices import (
    Gap,
    Groups,
    find_gaps,
    judge_item_slices,
    slice_items,
    slice_users,
    take_users,
)
from plmrec.stages.tuning import draw_judged


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """One recommender, fitted on the training side of a split and judged on the other.

    Attributes:
        judgement: Metrics of its lists, per user.
        slices: (n_judged,) per slice of users, True for those in it.
        baselines: Metrics by name, for each part of the recommender alone.
        split_digest: Two evaluations can be compared when this is the same.
        split_kind: See ``Split.kind``.
        k: Length of the lists.
        item_slices: Metrics per slice of items; see ``judge_item_slices``.
        gaps: How far groups of users are apart in NDCG, per attribute.
    """

    judgement: Judgement
    slices: dict[str, Bools]
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)
    split_digest: str
    split_kind: str
    k: int
    item_slices: dict[str, dict[str, float]] = field(default_factory=dict)
    gaps: dict[str, Gap] = field(default_factory=dict)

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


def evaluate_recipe(  # noqa: PLR0913
    recipe: Recipe,
    data: TrainingData,
    split: Split,
    *,
    k: int,
    max_users: int = 10_000,
    with_baselines: bool = False,
    groups: Groups | None = None,
) -> Evaluation:
    """Fit a recipe on the training side of a split and judge its lists; all items compete.

    Args:
        recipe: See ``fit_recipe``.
        data: What the split was made of.
        split: Checked again for leaks here.
        k: Length of the lists.
        max_users: Users to judge; the same ones are drawn for every recipe when there are more.
        with_baselines: Judge popularity and each part of a blend alone, too.
        groups: What items and users are, for slices by it.

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
    judgement = judge(model, split, rows, k, before=before)
    return Evaluation(
        judgement=judgement,
        slices=slice_users(split, rows),
        baselines={name: judge(each, split, rows, k).means() for name, each in alone.items()},
        split_digest=split.digest(),
        split_kind=split.kind,
        k=k,
        item_slices=judge_item_slices(judgement, split, rows, slice_items(split, groups)),
        gaps=find_gaps(judgement.per_user[f"ndcg@{k}"], take_users(groups or Groups(), rows)),
    )


def judge(
    scorer: Scorer, split: Split, rows: Ints, k: int, *, before: TrainingData | None = None
) -> Judgement:
    """Judge the lists of some users by a recommender fitted on ``split.train``.

    Args:
        scorer: The recommender.
        split: The split.
        rows: int64 (n_judged,), its users to judge by.
        k: Length of the lists.
        before: What it was fitted on; see ``judge_lists``.
    """
    items = list_items(
        scorer,
        split.told.take(rows),
        k=k,
        excluded=split.excluded.take(rows),
        candidates=split.candidates,
    )
    return judge_lists(items, split, rows, before=before)
