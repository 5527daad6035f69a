"""Params of the encoder and of training it further."""

from __future__ import annotations

from pydantic import Field, JsonValue

from plmrec.params.base import Fraction, Section


class EncoderParams(Section):
    """Which encoder turns text into vectors; ``options`` are checked by the backend."""

    backend: str = "transformer"
    options: dict[str, JsonValue] = Field(default_factory=dict)


class PretrainingParams(Section):
    """How ``plmrec pretrain`` goes on training the encoder on the platform's own texts."""

    epochs: float = Field(default=1.0, gt=0, le=1000, description="times every text is seen")
    max_steps: int | None = Field(
        default=None, ge=1, description="most steps in all; null: no limit"
    )
    batch_size: int = Field(default=16, ge=1, description="texts a step")
    learning_rate: float = Field(default=5e-5, gt=0, le=1, description="highest, after warming up")
    warmup_share: Fraction = Field(
        default=0.1, description="share of the steps over which the learning rate rises"
    )
    max_tokens: int = Field(
        default=128, ge=8, le=8192, description="longest text, tokens; longer ones are cut in parts"
    )
    mask_share: float = Field(
        default=0.15,
        gt=0,
        lt=1,
        description="share of the tokens to be guessed, drawn anew each time",
    )
    head_steps: int = Field(
        default=200, ge=0, description="steps for a new output layer alone, before all is trained"
    )
    held_out: float = Field(
        default=0.1, gt=0, lt=1, description="share of the items whose texts only measure the loss"
    )


class AdaptationParams(Section):
    """How ``plmrec adapt`` brings texts together whose items the same people like."""

    within_items: int = Field(
        default=3, ge=1, le=100, description="likes of a user at most so many apart make a pair"
    )
    within_days: float = Field(
        default=30.0, gt=0, description="and at most so many days apart, where times are known"
    )
    min_users: int = Field(default=2, ge=1, description="users that a pair needs")
    pairs_per_item: int = Field(
        default=20, ge=1, description="most pairs of one item, so that popular ones do not rule"
    )
    max_pairs: int = Field(default=20_000, ge=2, description="most pairs in all, the surest first")
    text_share: float = Field(
        default=0.5,
        ge=0,
        le=10,
        description="pairs of two texts of the same item, for each pair of items: they keep what "
        "the encoder knows of texts; 0: none",
    )
    epochs: float = Field(default=1.0, gt=0, le=1000, description="times every pair is seen")
    max_steps: int | None = Field(
        default=None, ge=1, description="most steps in all; null: no limit"
    )
    batch_size: int = Field(
        default=32, ge=2, description="pairs a step; each is told from all others of its step"
    )
    learning_rate: float = Field(default=2e-5, gt=0, le=1, description="highest, after warming up")
    warmup_share: Fraction = Field(
        default=0.1, description="share of the steps over which the learning rate rises"
    )
    max_tokens: int = Field(
        default=64, ge=8, le=8192, description="tokens read of a text; less takes less time"
    )
    scale: float = Field(
        default=20.0, gt=0, description="factor of the cosines; more makes near misses count more"
    )
