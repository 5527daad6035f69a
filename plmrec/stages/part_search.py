"""The search for the setting of one part: fits and judges what its study proposes."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
from pydantic import JsonValue

from plmrec.backends import build_backend
from plmrec.histories import Floats, Ints, TrainingData
from plmrec.recommenders.blend import Part
from plmrec.splits import Split
from plmrec.stages.judging import judge_lists
from plmrec.stages.scoring import Scorer, list_items
from plmrec.stages.search_space import Axes, Setting, all_settings, with_setting
from plmrec.stages.studies import Outcome, Study

_ONLY_SCORING: Final = frozenset({"decay_items", "last_items"})  # changed without fitting again
_RUNGS: Final = (0.25, 0.5)  # shares of the panel after which a worse setting is given up
_MIN_RUNG: Final = 100  # users below which nothing is given up
_CLEARLY_WORSE: Final = -2.0  # standard errors
_WORTH_A_CHANGE: Final = 1.0  # standard errors

Clock: TypeAlias = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """Who judges settings.

    Attributes:
        split: The validation split.
        rows: int64 (n_judged,), its users in the order they are asked.
        k: Cut-off, items.
    """

    split: Split
    rows: Ints
    k: int

    def judge(self, scorer: Scorer, best: Floats | None) -> tuple[Floats, bool]:
        """Ask the users, the first of them first.

        Args:
            scorer: Fitted.
            best: float64 (n_judged,), what the same users said of the best setting so far.

        Returns:
            NDCG@k of the users asked, and whether the rest was not asked.
        """
        n = len(self.rows)
        stops = [int(share * n) for share in _RUNGS] if best is not None else []
        said: Floats = np.zeros(0)
        for stop in [*(stop for stop in stops if stop >= _MIN_RUNG), n]:
            more = judge_users(scorer, self.split, self.rows[len(said) : stop], self.k)
            said = np.concatenate([said, more])
            if best is not None and stop < n and lead(said, best[:stop]) < _CLEARLY_WORSE:
                return said, True
        return said, False


class PartSearch:
    """The search for one part.

    Args:
        part: The part as it comes.
        axes: What may be tried.
        first: Settings to try first, at least the part's own.
        study: Of this part; may hold outcomes already.
        data: Items, and the histories of the panel's training side.
        panel: Who judges.
        limit: Settings to try, at least 1.
        clock: Tells seconds.
    """

    def __init__(  # noqa: PLR0913
        self,
        part: Part,
        *,
        axes: Axes,
        first: Sequence[Setting],
        study: Study,
        data: TrainingData,
        panel: Panel,
        limit: int,
        clock: Clock = time.monotonic,
    ) -> None:
        self.part, self.study = part, study
        self._own, self._data, self._panel, self._clock = first[0], data, panel, clock
        self._read = [name for name in axes if name.rpartition(".")[2] in _ONLY_SCORING]
        self._fit = [name for name in axes if name not in self._read]
        settings = all_settings(axes, self._own)
        self._all = settings is not None and len(settings) <= limit
        self._planned = settings if settings is not None and self._all else first
        self.limit = len(self._planned) if self._all else limit
        self._models: dict[str, tuple[Part, Any]] = {}

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to try."""
        return bool(self.study.ended_by) or len(self.study.outcomes) >= self.limit

    def expected_s(self) -> float:
        """Seconds that all settings left would take, as far as outcomes tell; 0 without any."""
        fits = 0.5 if self._read and self._fit else float(bool(self._fit))
        left = self.limit - len(self.study.outcomes)
        return max(left, 0) * (fits * self._fit_s() + self._judge_s())

    def go_on(self, until: float, step: Callable[[], None]) -> None:
        """Try settings while they can be expected to end in time.

        Args:
            until: Moment on the clock.
            step: Called after each setting.
        """
        ended_by = "space" if self._all else "trials"
        while not self.is_done:
            left, held = until - self._clock(), self._held()
            needs_fit = bool(self._fit) and held is None
            if left < self._judge_s() + needs_fit * self._fit_s():
                ended_by = "budget"
                if not needs_fit or not self._read or self._all or left < self._judge_s():
                    break
                held, self._planned = self._best_fit(), ()
            self.try_one(held)
            step()
        if not self.study.ended_by:
            self.study.end(ended_by)
        kept = self._key(self.chosen().setting)
        self._models = {key: model for key, model in self._models.items() if key == kept}

    def try_one(self, held: Setting | None = None) -> None:
        """Propose, fit and judge one setting; one that was judged before is not judged again."""
        n = len(self.study.outcomes)
        fixed = self._planned[n] if n < len(self._planned) else held or {}
        trial, setting = self.study.propose(fixed)
        same = [each for each in self.study.outcomes if each.setting == setting]
        known = [replace(each, fit_s=0.0, judge_s=0.0) for each in same[:1]]
        self.study.record(trial, known[0] if known else self._judge(setting))

    def chosen(self) -> Outcome:
        """The best outcome, or the part's own when the best is not surely better.

        The best of many settings is so by luck in part; one that is ahead of the own by less
        than a standard error is worth no change.
        """
        best, own = self.study.best(), self.study.outcomes[0]
        if best.per_user is None or own.per_user is None:
            return best
        return best if lead(best.per_user, own.per_user) > _WORTH_A_CHANGE else own

    def fitted(self, setting: Setting) -> tuple[Part, Any]:
        """The part with a setting, and fitted."""
        part = with_setting(self.part, setting)
        return part, self._model(part, setting)

    def _judge(self, setting: dict[str, JsonValue]) -> Outcome:
        best = self.study.best() if self.study.outcomes else None
        part, start = with_setting(self.part, setting), self._clock()
        is_new = self._key(setting) not in self._models
        model = self._model(part, setting)
        fitted = self._clock()
        said, is_pruned = self._panel.judge(model, None if best is None else best.per_user)
        outcome = Outcome(
            setting=setting,
            ndcg=float(said.mean()) if said.size else 0.0,
            n_users=len(said),
            is_pruned=is_pruned,
            fit_s=fitted - start if is_new else 0.0,
            judge_s=self._clock() - fitted,
            per_user=said,
        )
        self._forget(setting, outcome)
        return outcome

    def _held(self) -> Setting | None:
        """What the next setting takes over from the best, so that no fit is needed."""
        if not self._fit:
            return {}
        n = len(self.study.outcomes)
        is_turn = n >= len(self._planned) and n % 2 == 0
        return self._best_fit() if self._read and is_turn else None

    def _best_fit(self) -> Setting:
        best = self.study.best().setting
        return {option: best[option] for option in self._fit}

    def _key(self, setting: Setting) -> str:
        return json.dumps({option: setting[option] for option in self._fit}, sort_keys=True)

    def _model(self, part: Part, setting: Setting) -> Any:
        """Fitted for the setting; what was learnt for the same fit is read in another way."""
        key = self._key(setting)
        if key not in self._models:
            self._models[key] = (part, fit_part(part, self._data))
        fitted, model = self._models[key]
        return model if fitted == part else reread(part, model)

    def _forget(self, setting: Setting, outcome: Outcome) -> None:
        """Keep the models of the own setting, the best and the last, to bound the memory."""
        kept = {self._key(self._own), self._key(setting)}
        if self.study.outcomes and (outcome.is_pruned or outcome.ndcg <= self.study.best().ndcg):
            kept.add(self._key(self.study.best().setting))
        self._models = {key: model for key, model in self._models.items() if key in kept}

    def _fit_s(self) -> float:
        return max((outcome.fit_s for outcome in self.study.outcomes), default=0.0)

    def _judge_s(self) -> float:
        return max((outcome.judge_s for outcome in self.study.outcomes), default=0.0)


def lead(one: Floats, other: Floats) -> float:
    """By how many standard errors of their mean difference the one is ahead of the other.

    Args:
        one: float64 (n_users,).
        other: float64 (n_users,), the same users.

    Returns:
        Negative when it is behind; 0 for equal means, infinite when all users differ alike.

    Example:
        >>> round(lead(np.array([0.5, 0.0, 0.5, 0.5]), np.array([0.0, 0.0, 0.5, 0.0])), 3)
        1.732
    """
    gain = one - other
    mean = float(gain.mean()) if len(gain) else 0.0
    if not mean:
        return 0.0
    error = float(gain.std(ddof=1)) / math.sqrt(len(gain)) if len(gain) > 1 else math.inf
    return mean / error if error else math.copysign(math.inf, mean)


def judge_users(scorer: Scorer, split: Split, rows: Ints, k: int) -> Floats:
    """NDCG@k of some users of a split, float64 (n_rows,)."""
    if not len(rows):
        return np.zeros(0)
    items = list_items(
        scorer,
        split.told.take(rows),
        k=k,
        excluded=split.excluded.take(rows),
        candidates=split.candidates,
    )
    return judge_lists(items, split, rows).per_user[f"ndcg@{k}"]


def fit_part(part: Part, data: TrainingData) -> Any:
    """Build a part's recommender and fit it."""
    model = build_backend("recommenders", part.backend, part.options)
    model.fit(data)
    return model


def reread(part: Part, model: Any) -> Any:
    """What ``model`` learnt, scored with other options."""
    other = build_backend("recommenders", part.backend, part.options)
    other.load_state(*model.state())
    return other
