"""Params of tuning and fitting the recommender."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, JsonValue, Tag, model_validator

from plmrec.params.base import Fraction, Section


class Range(Section):
    """Numbers from low to high, both included, that a search may try for an option."""

    low: float = Field(description="smallest number")
    high: float = Field(description="largest number")
    log: bool = Field(default=False, description="try by ratio instead of by difference")
    int: bool = Field(default=False, description="whole numbers only")

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"expected low < high, got {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"expected low > 0 where log is true, got {self.low:g}")
        if self.int and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"expected whole low and high, got {self.low:g} and {self.high:g}")
        return self


def _is_range(value: object) -> str:
    return "choices" if isinstance(value, list | tuple) else "range"


Choices = Annotated[tuple[JsonValue, ...], Field(min_length=1)]


Tries = Annotated[
    Annotated[Choices, Tag("choices")] | Annotated[Range, Tag("range")], Discriminator(_is_range)
]


Space = dict[str, dict[str, Tries]]


class TrainingParams(Section):
    """How the recommender is fitted."""

    min_interval_days: float = Field(
        default=7.0, ge=0, description="days between scheduled trainings; a forced one ignores it"
    )
    options: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="options of the blend: its parts, their options, and weights; checked there",
    )
    tune: bool = Field(
        default=True, description="search the space and fit the weights of the parts"
    )
    space: Space = Field(
        default={
            "ease": {
                "reads": ("seen", "liked"),
                "l2": Range(low=50, high=2000, log=True),
                "decay_items": Range(low=3, high=60, log=True),
            },
            "item_knn": {
                "reads": ("seen", "liked"),
                "shrinkage": Range(low=2, high=200, log=True),
                "n_neighbours": Range(low=20, high=300, log=True, int=True),
                "decay_items": Range(low=2, high=60, log=True),
            },
            "als": {
                "reads": ("seen", "liked"),
                "factors": (32, 64, 128),
                "alpha": Range(low=1, high=40, log=True),
                "l2": Range(low=0.3, high=100, log=True),
                "decay_items": Range(low=3, high=60, log=True),
            },
            "markov": {
                "reads": ("seen", "liked"),
                "window": Range(low=1, high=20, log=True, int=True),
                "shrinkage": Range(low=2, high=100, log=True),
                "decay_items": Range(low=1, high=20, log=True),
            },
            "recent_popularity": {"half_life_days": Range(low=1, high=180, log=True)},
            "content": {
                "n_neighbours": (30, 100, 300),
                "decay_items": Range(low=1, high=30, log=True),
            },
        },
        description="what the search may try of each backend's options: a list of values, or a "
        "range {low, high, log, int}; a part's own value is always tried",
    )
    starts: dict[str, tuple[dict[str, JsonValue], ...]] = Field(
        default={
            "ease": (
                {"reads": "liked"},
                {"l2": 400.0, "decay_items": 4.5},
                {"l2": 1500.0, "decay_items": 4.5},
            ),
            "item_knn": (
                {"reads": "liked"},
                {"decay_items": 3.5},
                {"n_neighbours": 250, "decay_items": 3.5},
            ),
            "als": ({"reads": "liked"}, {"alpha": 4.0, "l2": 1.0}),
            "markov": ({"reads": "liked"}, {"shrinkage": 70.0, "decay_items": 4.5}),
        },
        description="settings of a backend to try right after a part's own, such as good ones of "
        "other data; options they do not name are the part's own",
    )
    trials: int = Field(
        default=20, ge=1, le=1000, description="settings tried of a part, its own being the first"
    )
    trials_of: dict[str, Annotated[int, Field(ge=1, le=1000)]] = Field(
        default_factory=dict,
        description="the same for single backends, such as one whose fits are long",
    )
    budget_s: float = Field(
        default=480.0,
        ge=0,
        description="seconds for the search; each part's own setting is tried in any case. When "
        "they end it before trials do, what is found depends on the speed of the machine",
    )
    validation: Literal["last", "time", "random"] = Field(
        default="last",
        description="what tuning holds out: each user's last like, the likes of the last "
        "validation_share of the time, or a random like of each user",
    )
    validation_share: Fraction = Field(
        default=0.2, description="share of the dated interactions that a split by time holds out"
    )
    windows: int = Field(
        default=2,
        ge=0,
        le=8,
        description="moments of the past before which the parts are fitted again, to learn their "
        "weights also from what users did after it; fewer where one shows enough users",
    )
    window_weight: float = Field(
        default=0.25,
        ge=0,
        description="how much a user of such a window counts, against 1 for one of validation; "
        "more serves users who come back after long, less those still here",
    )
    validation_users: int = Field(
        default=2000, ge=1, description="users drawn to judge a setting by"
    )
    weight_users: int = Field(
        default=2000, ge=1, description="users drawn from each split to fit the weights by"
    )
    weight_l2: float = Field(
        default=10.0, ge=0, description="pull of the weights towards equal ones"
    )
