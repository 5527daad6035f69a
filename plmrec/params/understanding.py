"""Params of what is made of a document."""

from __future__ import annotations

from pydantic import Field

from plmrec.params.base import BackendParams, Fraction, Section


class LanguageParams(BackendParams):
    """What tells the language of a text."""

    backend: str = Field(default="langid", description="a file of plmrec/understanding/language")


class SummaryParams(BackendParams):
    """What sums a text up."""

    backend: str = Field(default="central", description="a file of plmrec/understanding/summary")


class KeywordParams(BackendParams):
    """What finds the keywords of a text."""

    backend: str = Field(default="mmr", description="a file of plmrec/understanding/keywords")


class SentimentParams(BackendParams):
    """What judges the mood of a text and of comments."""

    backend: str = Field(default="vader", description="a file of plmrec/understanding/sentiment")


class TopicParams(Section):
    """How the corpus is cut into topics."""

    max_topics: int = Field(
        default=40, ge=1, le=1000, description="most topics; fewer in a small corpus"
    )
    growth: float = Field(
        default=0.2,
        ge=0,
        description="share by which the corpus must have grown for topics to be found anew",
    )


class TaxonomyParams(Section):
    """Which interest tags there are, and when an item carries one."""

    curated: str | None = Field(
        default=None,
        description="YAML file with tags that a person keeps: a list of {id, name, words}; unset: "
        "the one of plmrec",
    )
    min_label_items: int = Field(
        default=5, ge=1, description="items from which on a genre or creator is a tag"
    )
    max_creators: int = Field(
        default=50, ge=0, description="creators that are tags, those with most items"
    )
    max_mined: int = Field(default=40, ge=0, description="tags mined from the corpus")
    tail: float = Field(
        default=0.03,
        gt=0,
        lt=0.5,
        description="largest share of the corpus that carries a tag no item is labelled with",
    )
    min_strength: Fraction = Field(
        default=0.5, description="strength from which on an item carries a tag; labels have 1"
    )
    max_tags: int = Field(default=12, ge=1, description="tags of an item, the strongest")


class UnderstandingParams(Section):
    """What is made of a document: language, summary, keywords, mood, topic and tags."""

    language: LanguageParams = LanguageParams()
    summary: SummaryParams = SummaryParams()
    keywords: KeywordParams = KeywordParams()
    sentiment: SentimentParams = SentimentParams()
    topics: TopicParams = TopicParams()
    taxonomy: TaxonomyParams = TaxonomyParams()
