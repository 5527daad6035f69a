"""Moments of the past before which a blend is fitted, to see what users did after them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from plmrec.histories import Ints, TrainingData
from plmrec.params import Params
from plmrec.recommenders import blend
from plmrec.splits import Split, split_window
from plmrec.stages.tuning import draw_judged
from plmrec.stages.weighing import Bench

_MIN_USERS: Final = 20  # of a window; fewer say nothing
_ENOUGH_USERS: Final = 500  # after which more windows teach little more
_NEW_PER_KNOWN: Final = 3  # windows for new users to one for known ones: they cost next to nothing


def windows_of_known(
    options: blend.Options, data: TrainingData, params: Params, *, weight: float
) -> list[Bench]:
    """The blend before moments of the past, for users who came back after them; the latest first.

    Where validation is by time it is the latest such window itself, and these begin before it.

    Args:
        options: Of the blend.
        data: What may be seen.
        params: ``seed`` and ``training`` are used.
        weight: How much one of these users counts.
    """
    training = params.training
    first = int(training.validation == "time")
    found: list[Bench] = []
    for split in _past(data, params, range(first, first + training.windows)):
        rows = _drawn(split, params, new=False)
        if len(rows) >= _MIN_USERS and split.train.is_positive.any():
            model = blend.build(options)
            model.fit(data.with_histories(split.train))
            found.append(Bench(model=model, split=split, rows=rows, weight=weight))
        if sum(len(bench.rows) for bench in found) >= _ENOUGH_USERS:
            break
    return found


def windows_of_new(options: blend.Options, data: TrainingData, params: Params) -> list[Bench]:
    """What is the same for all, before moments of the past, for users who came after them.

    New users have no history, so the parts that look at one have nothing to say and stay out.
    """
    common = {name: part for name, part in options.parts.items() if not part.is_personal}
    found: list[Bench] = []
    for split in _past(data, params, range(_NEW_PER_KNOWN * params.training.windows)):
        rows = _drawn(split, params, new=True)
        if common and len(rows) >= _MIN_USERS and split.train.is_positive.any():
            model = blend.build(blend.Options(parts=common))
            model.fit(data.with_histories(split.train))
            found.append(Bench(model=model, split=split, rows=rows))
        if sum(len(bench.rows) for bench in found) >= 2 * _ENOUGH_USERS:
            break
    return found


def _past(data: TrainingData, params: Params, places: range) -> Iterator[Split]:
    """Windows that each hold ``validation_share`` of the data and begin half of it apart."""
    share = params.training.validation_share
    for place in places:
        start = 1.0 - share - place * share / 2
        if start <= 0.0:
            return
        yield split_window(data.histories, start=start, stop=start + share)


def _drawn(split: Split, params: Params, *, new: bool) -> Ints:
    """Users with something to find again who liked nothing before, or who did."""
    rows = draw_judged(split, split.heldout.n_users, seed=params.seed)
    liked_some = np.diff(split.train.take(rows).positives().indptr) > 0
    rows = rows[liked_some != new]
    drawn = np.random.default_rng(params.seed).permutation(rows)[: params.training.weight_users]
    return np.sort(drawn).astype(np.int64)
