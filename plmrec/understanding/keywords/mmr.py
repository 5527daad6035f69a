"""Keywords by likeness to the whole document, with redundancy control."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from pydantic import Field

from plmrec.params import Section
from plmrec.types import FloatMatrix
from plmrec.understanding._choice import choose
from plmrec.understanding.base import Encode, Keyword, Texts
from plmrec.understanding.corpus import CorpusWords
from plmrec.understanding.words import phrases, plain

_VERSION: Final = 1  # raise it when the same text gives other keywords


class Options(Section):
    """Options of this backend in params.yaml."""

    n_keywords: int = Field(default=5, ge=1, le=100, description="keywords of an item")
    max_words: int = Field(default=2, ge=1, le=5, description="longest keyword, words")
    candidates: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="phrases whose vector is computed, those frequent here and rare elsewhere",
    )
    diversity: float = Field(
        default=0.4, ge=0, le=1, description="weight of saying something new against fitting best"
    )


class LikestPhrases:
    """KeyBERT's method: phrases whose vectors are nearest the document's, by MMR.

    Candidates are capped by tf-idf before they are encoded, and each is encoded once however many
    items of a batch have it, so that keywords cost less than the passages did.

    Source:
        Grootendorst 2020, "KeyBERT: minimal keyword extraction with BERT".
    """

    def __init__(self, options: Options) -> None:
        self._options = options

    @property
    def made_by(self) -> str:
        """Name and version."""
        return f"likest phrases {_VERSION}"

    def find(self, documents: Texts, encode: Encode) -> list[list[Keyword]]:
        """See KeywordFinder.find."""
        candidates = [self._candidates(text, documents.corpus) for text in documents.texts]
        unique = sorted({phrase for some in candidates for phrase in some})
        places = {phrase: place for place, phrase in enumerate(unique)}
        vectors = encode(unique) if unique else np.zeros((0, 1), dtype=np.float32)
        return [
            self._best(some, vectors[[places[phrase] for phrase in some]], whole) if some else []
            for some, whole in zip(candidates, documents.vectors, strict=True)
        ]

    def _candidates(self, text: str, corpus: CorpusWords) -> list[str]:
        """Phrases with the highest tf-idf; of two alike, the longer one, then the earlier."""
        counts = Counter(phrases(plain(text), self._options.max_words))
        worth = {
            phrase: count * float(np.mean([corpus.rarity(word) for word in phrase.split()]))
            for phrase, count in counts.items()
        }
        longer = sorted(worth, key=lambda phrase: (-worth[phrase], -len(phrase.split())))
        kept: list[str] = []
        for phrase in longer:
            inside = any(f" {phrase} " in f" {other} " for other in kept)
            if not inside or counts[phrase] > 1:
                kept.append(phrase)
            if len(kept) == self._options.candidates:
                break
        return kept

    def _best(self, some: list[str], vectors: FloatMatrix, whole: FloatMatrix) -> list[Keyword]:
        likeness = np.clip(vectors @ whole, 0.0, 1.0)
        chosen = choose(
            likeness, vectors, k=self._options.n_keywords, diversity=self._options.diversity
        )
        found = [Keyword(some[place], round(float(likeness[place]), 4)) for place in chosen]
        return sorted(found, key=lambda keyword: -keyword.score)


def build(options: Options) -> LikestPhrases:
    """Build the finder; called by plmrec.backends."""
    return LikestPhrases(options)
