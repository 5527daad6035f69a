"""How common words are in a corpus, counted once and kept, so that a row depends on its text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from plmrec.understanding.words import content_words

_MAX_WORDS: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusWords:
    """In how many of a corpus' documents words are.

    Attributes:
        n_documents: Documents that were counted.
        counts: Documents with each word; words of a single document are left out.
    """

    n_documents: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)

    def rarity(self, word: str) -> float:
        """Inverse document frequency, smoothed; >= 1, larger for rarer words.

        Source:
            Spärck Jones 1972, "A statistical interpretation of term specificity and its
            application in retrieval".
        """
        return math.log((1 + self.n_documents) / (1 + self.counts.get(word, 0))) + 1.0


def count_words(texts: Iterable[str]) -> CorpusWords:
    """Count in how many texts each word is."""
    counts: Counter[str] = Counter()
    n_documents = 0
    for text in texts:
        counts.update(set(content_words(text)))
        n_documents += 1
    common = {word: count for word, count in counts.most_common(_MAX_WORDS) if count > 1}
    return CorpusWords(n_documents=n_documents, counts=common)
