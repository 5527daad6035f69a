"""Params of what comes in, and of the texts that are made of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from plmrec.params.base import Fraction, Section


class ValidationParams(Section):
    """What a dataset must be like to enter the chain."""

    max_text_chars: int = Field(
        default=200_000, ge=100, description="longest text field, characters"
    )
    lowest_rating: float = Field(default=0.0, description="ratings below are refused")
    highest_rating: float = Field(default=10.0, description="ratings above are refused")
    max_quarantined_share: Fraction = Field(
        default=0.2, description="share of a table's rows in quarantine above which the run stops"
    )
    min_rows_for_shares: int = Field(
        default=20, ge=1, description="rows from which on a table is judged by shares at all"
    )
    max_volume_drop: Fraction = Field(
        default=0.5,
        description="share of a table's accepted rows, lost since the last run on the same "
        "source, above which the run stops",
    )


class FeedbackParams(Section):
    """How interactions become preferences."""

    min_rating: float = Field(default=4.0, description="ratings from here on are positive")
    min_watch_share: Fraction = Field(
        default=0.5,
        description="views that watched at least this share of the duration are positive",
    )
    click_weight: Fraction = Field(
        default=0.3,
        description="weight of a click, or of a comment that is neither for nor against; a like "
        "weighs 1",
    )
    comment_weight: Fraction = Field(
        default=1.0,
        description="weight of a comment full of praise, and against the item of one full of "
        "blame; milder ones weigh less",
    )
    min_sentiment: Fraction = Field(
        default=0.05,
        description="sentiment of a comment, 0 to 1 for or against, below which it is neither",
    )


class DocumentParams(Section):
    """How an item's text is put together, cut into passages, and summed up in one vector."""

    mask: bool = Field(
        default=True,
        description="whether e-mail addresses, telephone, card and account numbers and postal "
        "addresses are masked in titles, descriptions and transcripts",
    )
    cast_names: int = Field(
        default=5, ge=0, le=1000, description="names of the cast that count, most important first"
    )
    passage_tokens: int = Field(
        default=128,
        ge=16,
        le=8192,
        description="longest passage, tokens; the encoder's own limit when that is smaller",
    )
    overlap_tokens: int = Field(
        default=16, ge=0, description="tokens that two neighbouring passages share at most"
    )
    max_passages: int = Field(
        default=256, ge=1, description="passages kept of one item, evenly spread over its text"
    )
    passage_s: float = Field(
        default=60.0, gt=0, description="longest span of a spoken passage, seconds"
    )
    pooling: Literal["parts", "mean", "max", "attention"] = Field(
        default="parts",
        description="how an item's vector comes from its passages': parts weighs header, "
        "description and speech as header_share says; mean weighs all alike; max takes the largest "
        "of each number; attention weighs by likeness to title and whole, place and confidence",
    )
    header_share: Fraction = Field(
        default=0.75,
        description="with pooling parts, weight of title, year, genres and names in an item's "
        "vector; description and speech share the rest",
    )

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> DocumentParams:
        if self.overlap_tokens > self.passage_tokens // 2:
            raise ValueError(
                f"overlap_tokens: expected at most half of passage_tokens = {self.passage_tokens}, "
                f"got {self.overlap_tokens}"
            )
        return self
