"""Extractive summary: the sentences most like the rest that do not repeat each other."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
from pydantic import Field

from plmrec.params import Section
from plmrec.text.cleaning import shorten
from plmrec.text.passages import thin_out
from plmrec.types import FloatMatrix
from plmrec.understanding._choice import centrality, choose
from plmrec.understanding.base import Encode, Texts
from plmrec.understanding.words import plain, sentences

_VERSION: Final = 2  # raise it when the same text gives another summary


class Options(Section):
    """Options of this backend in params.yaml."""

    max_sentences: int = Field(default=3, ge=1, le=50, description="sentences of a summary")
    max_chars: int = Field(
        default=600, ge=50, le=10_000, description="longest summary, characters; cut between words"
    )
    considered: int = Field(
        default=40,
        ge=2,
        le=1000,
        description="sentences to choose from, evenly spread over a longer text",
    )
    diversity: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="weight of saying something new against being central",
    )


class CentralSentences:
    """Sentences by their centrality among all (LexRank) with redundancy control (MMR).

    Sources of both: see plmrec/understanding/_choice.py. A text of no more sentences than a
    summary may have is its own summary; no vector is computed for it.
    """

    def __init__(self, options: Options) -> None:
        self._options = options

    @property
    def made_by(self) -> str:
        """Name and version."""
        return f"central sentences {_VERSION}"

    def summarise(self, documents: Texts, encode: Encode) -> list[str | None]:
        """See Summariser.summarise; sentences stand in the order of the text."""
        found = [self._sentences(text) for text in documents.texts]
        long = [some for some in found if len(some) > self._options.max_sentences]
        vectors = iter(_split(encode(list(itertools.chain(*long))), long) if long else [])
        summaries: list[str | None] = []
        for some in found:
            is_long = len(some) > self._options.max_sentences
            chosen = self._choose(some, next(vectors)) if is_long else some
            summaries.append(shorten(" ".join(chosen), self._options.max_chars) or None)
        return summaries

    def _sentences(self, text: str) -> list[str]:
        """Different sentences with words; very short ones only where there are no others."""
        every = dict.fromkeys(" ".join(each.split()) for each in sentences(plain(text)))
        worded = [each for each in every if any(map(str.isalpha, each))]
        longer = [each for each in worded if len(each.split()) > 2 or len(each) > 20]
        return thin_out(longer or worded, self._options.considered)

    def _choose(self, some: list[str], vectors: FloatMatrix) -> list[str]:
        rank = centrality(vectors)
        worth = (rank - rank.min()) / max(float(np.ptp(rank)), 1e-9)
        chosen = choose(
            worth, vectors, k=self._options.max_sentences, diversity=self._options.diversity
        )
        return [some[place] for place in sorted(chosen)]


def _split(vectors: FloatMatrix, groups: list[list[str]]) -> list[FloatMatrix]:
    ends = np.cumsum([len(group) for group in groups])[:-1]
    return list(np.split(vectors, ends))


def build(options: Options) -> CentralSentences:
    """Build the summariser; called by plmrec.backends."""
    return CentralSentences(options)
