"""Language by the statistics of byte sequences, for 97 languages; no download."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final

from pydantic import Field

from plmrec.params import Section
from plmrec.understanding.base import Language
from plmrec.understanding.words import count_letters, plain

_MAX_CHARS: Final = 4000  # more tell no better


class Options(Section):
    """Options of this backend in params.yaml."""

    min_letters: int = Field(
        default=20,
        ge=1,
        description="letters from which on a text is long enough to tell; a sign of Chinese, "
        "Japanese or Thai counts as four",
    )
    min_confidence: float = Field(
        default=0.5, ge=0, le=1, description="less sure answers are none, probability"
    )


class LangidFinder:
    """Naive Bayes over byte n-grams that tell languages, not subjects, from each other.

    Source:
        Lui and Baldwin 2012, "langid.py: an off-the-shelf language identification tool".
    """

    def __init__(self, options: Options) -> None:
        self._options = options

    @property
    def made_by(self) -> str:
        """Name and version of the library."""
        return f"py3langid {version('py3langid')}"

    def find(self, texts: Sequence[str]) -> list[Language | None]:
        """See LanguageFinder.find."""
        return [self._find(plain(text)[:_MAX_CHARS]) for text in texts]

    def _find(self, text: str) -> Language | None:
        if count_letters(text) < self._options.min_letters:
            return None
        words = [word for word in text.split() if any(map(str.isalpha, word))]
        if len(words) > 3 and len(set(words)) == 1:
            words = words[:1]  # one word again and again tells no more than once
            if count_letters(words[0]) < self._options.min_letters:
                return None
        code, confidence = _identifier().classify(" ".join(words))
        if confidence < self._options.min_confidence:
            return None
        return Language(str(code), round(float(confidence), 4))


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def build(options: Options) -> LangidFinder:
    """Build the finder; called by plmrec.backends."""
    return LangidFinder(options)
