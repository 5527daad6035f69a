"""The search for the options of a blend's parts, on a validation split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from pydantic import JsonValue

from plmrec.backends import build_backend
from plmrec.histories import Histories, Ints, TrainingData
from plmrec.recommenders import blend
from plmrec.splits import Split
from plmrec.stages.judging import judge_lists
from plmrec.stages.scoring import Scorer, list_items

_ONLY_SCORING: Final = frozenset({"decay_items", "last_items"})  # changed without fitting again

Grid: TypeAlias = Mapping[str, Mapping[str, Sequence[JsonValue]]]
Step: TypeAlias = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One value that was tried.

    Attributes:
        part: Name of the part.
        option: What was changed; empty for the part as it came.
        value: To what.
        ndcg: NDCG@k on the validation split.
    """

    part: str
    option: str
    value: JsonValue
    ndcg: float


def draw_judged(split: Split, n_users: int, *, seed: int) -> Ints:
    """Rows of users with held-out items, drawn evenly if there are more than ``n_users``."""
    rows = np.flatnonzero(np.diff(split.heldout.indptr))
    drawn = np.random.default_rng(seed).permutation(rows)[:n_users]
    return np.sort(drawn).astype(np.int64)


def measure(scorer: Scorer, split: Split, rows: Ints, k: int) -> float:
    """NDCG@k of a fitted recommender for some users of a split; 0 without users."""
    if not len(rows):
        return 0.0
    histories, excluded = split.train.take(rows), split.excluded.take(rows)
    items = list_items(scorer, histories, k=k, excluded=excluded)
    return judge_lists(items, split, rows).means()[f"ndcg@{k}"]


def usable_parts(options: blend.Options, histories: Histories) -> dict[str, blend.Part]:
    """The parts that can tell something from such data.

    Without times there is no order and no age; where everything seen was liked, what reads all
    that was seen repeats what reads the likes.
    """
    all_liked = bool(histories.is_positive.all())
    kept = {}
    for name, part in options.parts.items():
        needs_times = part.backend == "markov" or part.options.get("anchor") == "user"
        repeats = part.options.get("reads") == "seen" and all_liked
        if name == options.fallback or not (repeats or (needs_times and not histories.has_times)):
            kept[name] = part
    return kept


def count_steps(parts: Mapping[str, blend.Part], grid: Grid) -> int:
    """How often ``tune_parts`` will call ``step``."""
    return sum(1 + len(grid.get(part.backend, {})) for part in parts.values())


def tune_parts(  # noqa: PLR0913
    data: TrainingData,
    split: Split,
    *,
    parts: Mapping[str, blend.Part],
    grid: Grid,
    rows: Ints,
    k: int,
    step: Step,
) -> tuple[dict[str, blend.Part], dict[str, Any], list[Trial]]:
    """Choose the options of each part, one option after the other, by NDCG@k.

    Args:
        data: Items, and the histories of ``split.train``.
        split: The validation split.
        parts: The parts as they come.
        grid: Values to try, by backend and option.
        rows: The users to judge by.
        k: Cut-off, items.
        step: Called after each part and option.

    Returns:
        The parts with the best options, the same parts fitted on ``data``, and every value tried.
        An earlier value wins a tie.
    """
    tuned, fitted, trials = {}, {}, []
    for name, part in parts.items():
        best = part
        model = _fit(part, data)
        top = measure(model, split, rows, k)
        trials.append(Trial(part=name, option="", value=None, ndcg=top))
        step()
        for option, values in grid.get(part.backend, {}).items():
            for value in values:
                if best.options.get(option) == value:
                    continue
                other = blend.Part(backend=part.backend, options={**best.options, option: value})
                tried = _reread(other, model) if option in _ONLY_SCORING else _fit(other, data)
                metric = measure(tried, split, rows, k)
                trials.append(Trial(part=name, option=option, value=value, ndcg=metric))
                if metric > top:
                    top, best, model = metric, other, tried
            step()
        tuned[name], fitted[name] = best, model
    return tuned, fitted, trials


def _fit(part: blend.Part, data: TrainingData) -> Any:
    model = build_backend("recommenders", part.backend, part.options)
    model.fit(data)
    return model


def _reread(part: blend.Part, model: Any) -> Any:
    """What ``model`` learnt, scored with other options."""
    other = build_backend("recommenders", part.backend, part.options)
    other.load_state(*model.state())
    return other
