"""What vectors of texts are worth on a platform's own data: likes and texts found by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np

from plmrec.encoders.base import Encoder, encode_queries
from plmrec.errors import DataContractError
from plmrec.histories import Catalogue, Floats, Histories, TrainingData
from plmrec.metrics.intervals import bootstrap_mean, paired_difference
from plmrec.metrics.significance import holm, paired_p_value
from plmrec.params import Params
from plmrec.splits import Split, split_by_time, split_cold_items
from plmrec.stages.evaluate import judge
from plmrec.stages.recipe import Recipe, fit_recipe
from plmrec.stages.tuning import draw_judged
from plmrec.types import FloatMatrix

LIKES: Final = "likes"  # of the last part of the time, by what was liked before
COLD: Final = "cold items"  # likes of items that nobody liked, among such items
RETRIEVAL: Final = "retrieval"  # of an item's description by its title and labels
_LIKENESS: Final[Recipe] = {"backend": "content", "options": {}}
_MIN_USERS: Final = 5  # with held-out likes, below which a split says nothing

# One value per user, or per query, by name of the measure.
PerUser: TypeAlias = dict[str, Floats]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Yardstick:
    """What all encoders of a comparison are measured by.

    Attributes:
        data: Items by their ids alone, and whole histories.
        splits: By name of the measure; ``likes`` is by time, ``cold items`` takes items out.
        k: Length of the lists.
        max_users: Users judged of each split, drawn evenly when there are more.
        seed: Of the draws.
    """

    data: TrainingData
    splits: Mapping[str, Split]
    k: int
    max_users: int
    seed: int

    def learnable(self) -> Histories:
        """What an encoder may learn from: nothing that any of the splits holds out.

        Entries of the last part of the time are missing, and all entries of the cold items.
        """
        kept = self.data.histories
        for split in self.splits.values():
            if split.kind == "time":
                kept = kept.keep(~(kept.times > split.cut))
            elif split.candidates is not None:
                kept = kept.keep(~split.candidates[kept.items])
        return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How one measure of two encoders differs.

    Attributes:
        measure: Its name.
        n: Users or queries that both were judged by.
        before: Mean with the encoder that is there.
        after: Mean with the other.
        difference: ``after - before``.
        low: Lower end of its confidence interval, by a paired bootstrap.
        high: Upper end.
        p_value: Of the difference, corrected by Holm's procedure over the measures.
    """

    measure: str
    n: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    p_value: float

    def as_dict(self) -> dict[str, Any]:
        """JSON values; None for what could not be measured."""
        return {
            name: value if not isinstance(value, float) or np.isfinite(value) else None
            for name, value in asdict(self).items()
        }


def make_yardstick(data: TrainingData, params: Params) -> Yardstick:
    """Split the data as ``evaluation`` says: by time, and some items taken out.

    Args:
        data: Items and whole histories; vectors and labels are left aside, so that only what is
            later measured counts.
        params: ``seed`` and ``evaluation`` are used.

    Raises:
        DataContractError: No split judges enough users.
    """
    evaluation, histories = params.evaluation, data.histories
    found = {
        LIKES: split_by_time(histories, share=evaluation.share),
        COLD: split_cold_items(histories, share=evaluation.share, seed=params.seed),
    }
    splits = {name: split for name, split in found.items() if split.n_judged >= _MIN_USERS}
    if not splits:
        raise DataContractError(
            f"encoder: expected at least {_MIN_USERS} users with held-out likes to judge by, found "
            f"{ {name: split.n_judged for name, split in found.items()} }",
            hint="Give interactions of more users, with their times",
        )
    return Yardstick(
        data=replace(data, catalogue=Catalogue(item_ids=data.catalogue.item_ids)),
        splits=splits,
        k=evaluation.k,
        max_users=evaluation.max_users,
        seed=params.seed,
    )


def judge_vectors(vectors: FloatMatrix, yardstick: Yardstick) -> PerUser:
    """NDCG@k of lists that go by the likeness of texts alone.

    Args:
        vectors: float32 (n_items, d), unit rows, in the order of the catalogue.
        yardstick: What is held out.

    Returns:
        float64 (n_judged,) per split, by its name.
    """
    catalogue = replace(yardstick.data.catalogue, vectors=vectors)
    data = replace(yardstick.data, catalogue=catalogue)
    found: PerUser = {}
    for name, split in yardstick.splits.items():
        rows = draw_judged(split, yardstick.max_users, seed=yardstick.seed)
        model = fit_recipe(_LIKENESS, data.with_histories(split.train))
        found[name] = judge(model, split, rows, yardstick.k).per_user[f"ndcg@{yardstick.k}"]
    return found


def judge_retrieval(encoder: Encoder, texts: Sequence[tuple[str, str]]) -> Floats:
    """Whether a question finds the text that belongs to it, among all texts.

    Args:
        encoder: Any.
        texts: n pairs of a question and the text that belongs to it.

    Returns:
        float64 (n,), one over the place of the right text; texts as near as it count as before.
    """
    if not texts:
        return np.empty(0)
    questions = encode_queries(encoder, [question for question, _ in texts])
    likeness = questions @ encoder.encode([text for _, text in texts]).T
    right = np.diagonal(likeness)[:, None]
    return np.asarray(1.0 / (likeness >= right).sum(axis=1), dtype=np.float64)


def compare_encoders(before: PerUser, after: PerUser, params: Params) -> list[Change]:
    """Compare two encoders on the same users and queries, measure by measure.

    Args:
        before: Of the encoder that is there.
        after: Of the other.
        params: ``seed`` and ``evaluation`` are used.
    """
    drawn, evaluation = np.random.default_rng(params.seed), params.evaluation
    changes = [
        _change(name, before[name], after[name], drawn, params) for name in before if name in after
    ]
    raw = [
        paired_p_value(after[each.measure], before[each.measure], rng=drawn,
                       n_resamples=evaluation.resamples)
        for each in changes
    ]  # fmt: skip
    corrected = holm(np.array(raw, dtype=np.float64))
    return [replace(each, p_value=float(p)) for each, p in zip(changes, corrected, strict=True)]


def mean_interval(values: Floats, params: Params) -> list[float]:
    """Mean and both ends of its bootstrap interval over users."""
    found = bootstrap_mean(
        values,
        rng=np.random.default_rng(params.seed),
        n_resamples=params.evaluation.resamples,
        confidence=params.evaluation.confidence,
    )
    return [float(value) for value in found]


def is_better(changes: Sequence[Change]) -> bool:
    """Whether an encoder should be adopted.

    At least one of the measures of likes is better beyond chance, its whole interval above 0, and
    no measure is worse beyond chance, its whole interval below 0.
    """
    gains = [each.low > 0 for each in changes if each.measure in (LIKES, COLD)]
    return any(gains) and not any(each.high < 0 for each in changes)


def _change(
    name: str, before: Floats, after: Floats, rng: np.random.Generator, params: Params
) -> Change:
    interval = paired_difference(
        after,
        before,
        rng=rng,
        n_resamples=params.evaluation.resamples,
        confidence=params.evaluation.confidence,
    )
    return Change(
        measure=name,
        n=len(before),
        before=float(np.mean(before)) if len(before) else float("nan"),
        after=float(np.mean(after)) if len(after) else float("nan"),
        difference=interval.mean,
        low=interval.low,
        high=interval.high,
        p_value=float("nan"),
    )
