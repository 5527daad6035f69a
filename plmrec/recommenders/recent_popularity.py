"""Recent popularity: likes fade with age, counted back from now or from the user's own last day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from plmrec.errors import PermanentError, ShapeError
from plmrec.histories import Catalogue, Floats, Histories, Ints, TrainingData
from plmrec.params import Section
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State, moved_places
from plmrec.types import FloatMatrix

_DAY_S = 86_400.0


class Options(Section):
    """Options of this backend."""

    half_life_days: float = Field(
        default=30.0, gt=0, description="days after which a like counts half"
    )
    anchor: Literal["now", "user"] = Field(
        default="now",
        description="count back from the end of the data, or from each user's last interaction",
    )


@dataclass(slots=True, kw_only=True, eq=False)
class RecentPopularity:
    """Scores an item by the logarithm of its likes, each halved every ``half_life_days``.

    With the anchor ``user`` only likes up to the user's own last interaction count: what was in
    fashion when the user was last here. Likes without a time do not fade.

    Source:
        Ji, Sun, Zhang and Li 2020, "A re-visit of the popularity baseline in recommender systems".
    """

    options: Options
    n_items: int = -1
    now: float = 0.0
    items: Ints | None = None  # of every like, ascending in time
    times: Floats | None = None  # seconds; -inf for likes without a time

    def fit(self, data: TrainingData) -> None:
        """Keep the likes in order of time; see Recommender.fit."""
        liked = data.histories.positives()
        times = np.nan_to_num(liked.times, nan=-np.inf)
        order = np.lexsort((liked.items, times))
        self.items, self.times = liked.items[order], times[order]
        self.n_items, self.now = data.catalogue.n_items, data.now

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score."""
        if self.items is None or self.times is None:
            raise PermanentError("score: expected a fitted recommender", hint="Call fit first")
        if histories.n_items != self.n_items:
            raise ShapeError(
                f"score: expected histories over {self.n_items} items, got {histories.n_items}"
            )
        moments = np.full(histories.n_users, self.now)
        if self.options.anchor == "user":
            last = histories.last_times()
            moments = np.where(np.isnan(last), self.now, last)
        distinct, row = np.unique(moments, return_inverse=True)
        return self._faded(self.items, self.times, distinct)[row]

    def _faded(self, items: Ints, times: Floats, moments: Floats) -> FloatMatrix:
        """Log of the faded likes at each moment, ascending; float32 (n_moments, n_items)."""
        undated = np.isneginf(times)
        lasting = np.bincount(items[undated], minlength=self.n_items).astype(np.float64)
        items, times = items[~undated], times[~undated]
        rate = np.log(2.0) / (self.options.half_life_days * _DAY_S)
        faded = np.zeros(self.n_items)
        scores = np.empty((len(moments), self.n_items), dtype=np.float32)
        start, clock = 0, moments[0] if len(moments) else 0.0
        for row, moment in enumerate(moments):
            stop = int(np.searchsorted(times, moment, side="right"))
            faded *= np.exp(-rate * (moment - clock))
            fresh = np.exp(-rate * (moment - times[start:stop]))
            faded += np.bincount(items[start:stop], fresh, self.n_items)
            scores[row] = np.log1p(lasting + faded)
            start, clock = stop, moment
        return scores

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """See Recommender.explain."""
        value = float(self.score(history)[0, item])
        return (Contribution(part="recent_popularity", value=value),)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue; new items have no likes."""
        items = np.zeros(0, dtype=np.int64) if self.items is None else self.items
        times = np.zeros(0) if self.times is None else self.times
        places = moved_places(old, new)[items]
        kept = places >= 0
        return replace(self, n_items=new.n_items, items=places[kept], times=times[kept])

    def state(self) -> State:
        """See Recommender.state."""
        items = np.zeros(0, dtype=np.int64) if self.items is None else self.items
        times = np.zeros(0) if self.times is None else self.times
        return {"items": items, "times": times}, {"n_items": self.n_items, "now": self.now}

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.n_items, self.now = int(values["n_items"]), float(values["now"])
        self.items, self.times = arrays["items"], arrays["times"]


def build(options: Options) -> RecentPopularity:
    """Build the recommender; called by plmrec.backends."""
    return RecentPopularity(options=options)
