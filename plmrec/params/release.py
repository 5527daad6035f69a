"""Params of judging a release and of building its index."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from plmrec.params.base import Fraction, Section


class EvaluationParams(Section):
    """How challenger and champion are compared."""

    k: int = Field(default=10, ge=1, description="cut-off of the ranking metrics, items")
    split: Literal["time", "last", "random"] = Field(
        default="time",
        description="what is held out: the likes of the last share of the time, each user's last "
        "like, or a random like of each user",
    )
    share: Fraction = Field(
        default=0.2, description="share of the dated interactions that split time holds out"
    )
    max_users: int = Field(
        default=10_000, ge=1, description="users judged, drawn evenly when there are more"
    )
    resamples: int = Field(default=1000, ge=10, description="bootstrap resamples of the users")
    confidence: Fraction = Field(default=0.95, description="coverage of the intervals")


class PolicyParams(Section):
    """When a challenger becomes champion."""

    metric: str = Field(
        default="ndcg@k", description="name of a metric; @k stands for @ and evaluation.k"
    )
    min_gain: float = Field(
        default=0.0, description="gain over the champion that the metric needs, absolute"
    )
    significant: bool = Field(
        default=False,
        description="whether the whole confidence interval of the gain must lie above min_gain",
    )
    max_slice_loss: float = Field(
        default=0.02, ge=0, description="loss against the champion allowed in a slice, absolute"
    )
    min_slice_users: int = Field(
        default=50, ge=1, description="users from which on a slice is judged"
    )
    must_beat: tuple[str, ...] = Field(
        default=("popularity",), description="baselines whose metric the challenger must exceed"
    )
    first_must_beat: bool = Field(
        default=False,
        description="whether the baselines also stand in the way of a first release; if not, lists "
        "that are no better than theirs are better than none, and the verdict says so",
    )
    approval: Literal["auto", "human"] = Field(
        default="auto",
        description="whether a challenger that passes is promoted at once, or once a person agrees",
    )


class IndexParams(Section):
    """Shape and gate of the pgvector index."""

    m: int = Field(default=16, ge=2, le=100, description="HNSW links per node")
    ef_construction: int = Field(default=64, ge=4, le=1000, description="HNSW build list")
    ef_search: int = Field(default=80, ge=1, le=1000, description="HNSW search list")
    min_recall: Fraction = Field(
        default=0.95, description="recall@10 against exact search to go live"
    )
    recall_queries: int = Field(
        default=200, ge=1, le=10_000, description="queries in the recall sample, per table"
    )

    @model_validator(mode="after")
    def _build_list_holds_the_links(self) -> IndexParams:
        if self.ef_construction < 2 * self.m:
            raise ValueError(
                f"ef_construction: expected at least 2 * m = {2 * self.m}, got "
                f"{self.ef_construction}"
            )
        return self
