"""Sentiment of English by a lexicon and rules; no download."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final

from plmrec.params import Section
from plmrec.text.passages import thin_out
from plmrec.understanding.words import plain, sentences

_MAX_SENTENCES: Final = 100  # of a longer text, evenly spread; more change the mean little
_MAX_CHARS: Final = 500  # of a sentence: the rules cost the square of its words


class Options(Section):
    """This backend has no options."""


class VaderJudge:
    """Mean over a text's sentences of VADER's compound score.

    Texts of other languages than English have none. Of a text whose language was not told, as
    comments are often too short for it, only sentences with a word of the lexicon count.

    Source:
        Hutto and Gilbert 2014, "VADER: a parsimonious rule-based model for sentiment analysis of
        social media text".
    """

    @property
    def made_by(self) -> str:
        """Name and version of the library."""
        return f"vaderSentiment {version('vaderSentiment')}"

    def judge(self, texts: Sequence[str], languages: Sequence[str | None]) -> list[float | None]:
        """See SentimentJudge.judge."""
        return [
            self._judge(text, known=language is not None) if language in {None, "en"} else None
            for text, language in zip(texts, languages, strict=True)
        ]

    def _judge(self, text: str, *, known: bool) -> float | None:
        some = thin_out(sentences(plain(text)), _MAX_SENTENCES)
        scores = [_analyzer().polarity_scores(sentence[:_MAX_CHARS]) for sentence in some]
        if not known:
            scores = [score for score in scores if score["pos"] or score["neg"]]
        if not scores:
            return None
        return round(sum(float(score["compound"]) for score in scores) / len(scores), 4)


@lru_cache(maxsize=1)
def _analyzer() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def build(options: Options) -> VaderJudge:
    """Build the judge; called by plmrec.backends."""
    del options
    return VaderJudge()
