"""The search for the options of a blend's parts, on a validation split."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from pydantic import JsonValue

import plmrec
from plmrec.digests import digest_json
from plmrec.histories import Histories, Ints, TrainingData
from plmrec.params import Params, Space
from plmrec.recommenders import blend
from plmrec.splits import Split
from plmrec.stages.part_search import Clock, Panel, PartSearch, judge_users
from plmrec.stages.scoring import Scorer
from plmrec.stages.search_space import (
    Starts,
    check_space,
    first_settings,
    layers_of,
    open_axes,
    starts_of,
)

if TYPE_CHECKING:
    from plmrec.stages.studies import Storage

log = logging.getLogger(__name__)

Step: TypeAlias = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How to search.

    Attributes:
        space: What may be tried, by backend and option.
        starts: Settings of a backend to try right after a part's own.
        trials: Settings of a part, its own being the first.
        trials_of: The same for single backends.
        budget_s: Seconds for the search; each part's own setting is tried in any case.
        seed: Seed of what is drawn.
        store: File that keeps what was tried, so that a killed search goes on; None keeps nothing.
        clock: Tells seconds.
    """

    space: Space
    starts: Starts = field(default_factory=dict)
    trials: int = 20
    trials_of: Mapping[str, int] = field(default_factory=dict)
    budget_s: float = 480.0
    seed: int = 7
    store: Path | None = None
    clock: Clock = time.monotonic

    @classmethod
    def of(cls, params: Params, store: Path | None = None) -> Search:
        """The search that params.yaml describes."""
        training = params.training
        return cls(
            space=training.space,
            starts=training.starts,
            trials=training.trials,
            trials_of=training.trials_of,
            budget_s=training.budget_s,
            seed=params.seed,
            store=store,
        )

    def limit(self, part: blend.Part) -> int:
        """Settings to try of a part; 1 where there is nothing to search."""
        backends = [layer.backend for layer in layers_of(part).values()]
        if part.is_fixed or not any(self.space.get(backend) for backend in backends):
            return 1
        return next((self.trials_of[b] for b in backends if b in self.trials_of), self.trials)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One setting that was tried.

    Attributes:
        part: Name of the part.
        number: Counts the part's settings from 0, its own.
        options: The options searched.
        ndcg: NDCG@k on the validation split, over the users judged.
        n_users: Users judged; fewer for a setting that was given up as clearly worse.
        state: ``complete`` or ``pruned``.
        is_chosen: Whether the part has these options now.
        ended_by: Of the part's last trial, what ended its search: ``trials``, ``budget`` or
            ``space``, when all settings were tried; empty of the others.
        seconds: Of fitting and judging.
    """

    part: str
    number: int
    options: dict[str, JsonValue]
    ndcg: float
    n_users: int
    state: str
    is_chosen: bool
    ended_by: str
    seconds: float = field(compare=False)


def draw_judged(split: Split, n_users: int, *, seed: int) -> Ints:
    """Rows of users with held-out items, drawn evenly if there are more than ``n_users``."""
    rows = np.flatnonzero(np.diff(split.heldout.indptr))
    drawn = np.random.default_rng(seed).permutation(rows)[:n_users]
    return np.sort(drawn).astype(np.int64)


def measure(scorer: Scorer, split: Split, rows: Ints, k: int) -> float:
    """NDCG@k of a fitted recommender for some users of a split; 0 without users."""
    return float(np.mean(judge_users(scorer, split, rows, k))) if len(rows) else 0.0


def usable_parts(options: blend.Options, histories: Histories) -> dict[str, blend.Part]:
    """The parts that can tell something from such data: without times there is no order or age."""
    needs_times = {"markov", "recent_popularity", "sasrec"}
    kept = {
        name: part
        for name, part in options.parts.items()
        if histories.has_times or part.backend not in needs_times
    }
    return kept or dict(options.parts)


def count_steps(parts: Mapping[str, blend.Part], search: Search) -> int:
    """How often ``tune_parts`` will call ``step``."""
    return sum(search.limit(part) for part in parts.values())


def tune_parts(  # noqa: PLR0913
    data: TrainingData,
    split: Split,
    *,
    parts: Mapping[str, blend.Part],
    search: Search,
    rows: Ints,
    k: int,
    step: Step,
) -> tuple[dict[str, blend.Part], dict[str, Any], list[Trial]]:
    """Choose the options of each part by NDCG@k.

    Every part is fitted and judged as it comes; that tells what the others of its settings will
    cost. What is left of the budget is then shared out, the part of least work first, so that
    what it leaves is the next one's. A setting is tried only when it can be expected to end in
    time. While the budget ends no part's search, the same arguments give the same result.

    Args:
        data: Items, and the histories of ``split.train``.
        split: The validation split.
        parts: The parts as they come.
        search: What to try, and how long.
        rows: The users to judge by.
        k: Cut-off, items.
        step: Called as often as ``count_steps`` says.

    Returns:
        The parts with the best options, the same parts fitted on ``data``, and every setting
        tried. An earlier setting wins a tie.

    Raises:
        ParamsError: The space names what a backend does not have, or values it refuses.
    """
    from plmrec.stages.studies import open_storage

    check_space(search.space, search.starts, parts)
    order = np.random.default_rng(search.seed).permutation(len(rows))
    panel = Panel(split=split, rows=rows[order], k=k)
    with open_storage(search.store) as storage:
        searches = _open_searches(data, parts, panel, search, storage)
        _run(searches, search, step)
    chosen = {name: each.fitted(each.chosen().setting) for name, each in searches.items()}
    tuned = {name: part for name, (part, _) in chosen.items()}
    fitted = {name: model for name, (_, model) in chosen.items()}
    trials = [trial for name, each in searches.items() for trial in _trials(name, each)]
    return tuned, fitted, trials


def _open_searches(
    data: TrainingData,
    parts: Mapping[str, blend.Part],
    panel: Panel,
    search: Search,
    storage: Storage,
) -> dict[str, PartSearch]:
    """One search a part; those that ``storage`` knows are taken up again."""
    from plmrec.stages.studies import Study

    inputs = [plmrec.__version__, panel.split.digest(), panel.rows.tolist(), panel.k, search.seed]
    searches = {}
    for name, part in parts.items():
        axes, own = open_axes(part, search.space)
        first = first_settings(starts_of(part, search.starts), axes, own)
        limit = search.limit(part) if axes else 1
        described = {option: axes[option] for option in sorted(axes)}
        digest = digest_json([*inputs, part.model_dump(mode="json"), described, first, limit])
        searches[name] = PartSearch(
            part,
            axes=axes,
            first=first,
            study=Study(storage, name=f"{name} {digest}", axes=axes, seed=search.seed),
            data=data,
            panel=panel,
            limit=limit,
            clock=search.clock,
        )
    return searches


def _run(searches: Mapping[str, PartSearch], search: Search, step: Step) -> None:
    """Try the parts' own settings, then share out what is left of the budget."""
    deadline = search.clock() + search.budget_s
    for each in searches.values():
        if not each.study.outcomes:
            each.try_one()
            step()
        else:
            _repeat(step, len(each.study.outcomes))  # of a search that was taken up again
    waiting = sorted(searches.items(), key=lambda item: item[1].expected_s())
    for place, (name, each) in enumerate(waiting):
        now = search.clock()
        each.go_on(now + (deadline - now) / (len(waiting) - place), step)
        outcomes = each.study.outcomes
        _repeat(step, search.limit(each.part) - len(outcomes))
        log.info(
            "%s: ndcg %.4f as it came, %.4f after %d settings, ended by %s",
            name, outcomes[0].ndcg, each.chosen().ndcg, len(outcomes), each.study.ended_by,
        )  # fmt: skip
        if each.study.ended_by == "budget":
            log.warning(
                "the budget of %g s ended the search for %s after %d of %d settings; another "
                "machine may find other options",
                search.budget_s, name, len(outcomes), each.limit,
            )  # fmt: skip


def _repeat(step: Step, times: int) -> None:
    for _ in range(times):
        step()


def _trials(name: str, search: PartSearch) -> list[Trial]:
    outcomes, chosen = search.study.outcomes, search.chosen()
    return [
        Trial(
            part=name,
            number=number,
            options=outcome.setting,
            ndcg=outcome.ndcg,
            n_users=outcome.n_users,
            state="pruned" if outcome.is_pruned else "complete",
            is_chosen=outcome is chosen,
            ended_by=search.study.ended_by if number == len(outcomes) - 1 else "",
            seconds=round(outcome.fit_s + outcome.judge_s, 3),
        )
        for number, outcome in enumerate(outcomes)
    ]
