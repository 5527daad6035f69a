"""The promises that the parts of understanding keep, one for each derived field.

A backend is built cheaply: what ``made_by`` says is known before a model is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from plmrec.types import FloatMatrix
from plmrec.understanding.corpus import CorpusWords

# Turns n texts into float32 (n, d), unit rows: an encoder's ``encode``.
Encode: TypeAlias = Callable[[Sequence[str]], FloatMatrix]


class Language(NamedTuple):
    """A language and how sure its finder is.

    Attributes:
        code: ISO 639-1, such as ``en``.
        confidence: Probability, in [0, 1].
    """

    code: str
    confidence: float


class Keyword(NamedTuple):
    """Words that say what a text is about.

    Attributes:
        text: One word or a few, in lower case.
        score: Likeness to the text, at most 1; comparable within a text.
    """

    text: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Texts:
    """Some documents to understand, with what is known of them already.

    Attributes:
        texts: n texts, any of which may be empty.
        languages: n codes, None where none was found.
        vectors: float32 (n, d), unit rows: what the encoder makes of each whole document.
        corpus: How common words are.
    """

    texts: Sequence[str]
    languages: Sequence[str | None]
    vectors: FloatMatrix
    corpus: CorpusWords


@runtime_checkable
class LanguageFinder(Protocol):
    """Tells the language of texts."""

    @property
    def made_by(self) -> str:
        """Name and version; another one wherever the same text could give another answer."""
        ...

    def find(self, texts: Sequence[str]) -> list[Language | None]:
        """Find the language of each text; None for a text with too few words to tell."""
        ...


@runtime_checkable
class Summariser(Protocol):
    """Says in few sentences what a text says."""

    @property
    def made_by(self) -> str:
        """See LanguageFinder.made_by."""
        ...

    def summarise(self, documents: Texts, encode: Encode) -> list[str | None]:
        """Summarise each text; None for one without words."""
        ...


@runtime_checkable
class KeywordFinder(Protocol):
    """Finds the words that say what a text is about."""

    @property
    def made_by(self) -> str:
        """See LanguageFinder.made_by."""
        ...

    def find(self, documents: Texts, encode: Encode) -> list[list[Keyword]]:
        """Find the keywords of each text, best first; none for a text without words."""
        ...


@runtime_checkable
class SentimentJudge(Protocol):
    """Tells whether texts speak well or ill."""

    @property
    def made_by(self) -> str:
        """See LanguageFinder.made_by."""
        ...

    def judge(self, texts: Sequence[str], languages: Sequence[str | None]) -> list[float | None]:
        """Judge each text: from -1, bad, to 1, good; None where it cannot be told.

        Args:
            texts: n texts.
            languages: n codes; None where none was found.
        """
        ...
