"""How well speech was recognised: errors against references, and what a text itself betrays."""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from plmrec.errors import ShapeError

_NGRAM: Final = 4
_PAGE_WORDS: Final = 200  # long texts are measured by pages, or every long text would look odd
_APOSTROPHES: Final = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'"})
_NOT_IN_WORDS: Final = re.compile(r"[^\w' ]|_")
_LOOSE_APOSTROPHE: Final = re.compile(r"(?<!\w)'|'(?!\w)")


class SpeechErrors(NamedTuple):
    """Errors of hypotheses against references, counted after ``normalise_words``.

    Attributes:
        wer: Word error rate: (substitutions + deletions + insertions) / words said. In [0, inf);
            nan when nothing was said and nothing was heard, inf when words were heard in silence.
        cer: The same of characters, spaces included.
        n_words: Words said.
        substitutions: Words heard as another one.
        deletions: Words not heard.
        insertions: Words heard that were not said.
    """

    wer: float
    cer: float
    n_words: int
    substitutions: int
    deletions: int
    insertions: int


def normalise_words(text: str) -> str:
    """Reduce a text to what can be heard: lower-case words with single spaces between.

    Punctuation goes, a hyphen parts two words, an apostrophe inside a word stays. Numbers are
    not spelled out: references should spell them as spoken.

    Example:
        >>> normalise_words("Lower-case letters; that's it.")
        "lower case letters that's it"
    """
    text = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold()
    text = _LOOSE_APOSTROPHE.sub(" ", _NOT_IN_WORDS.sub(" ", text.replace("\n", " ")))
    return " ".join(text.split())


def speech_errors(references: Sequence[str], hypotheses: Sequence[str]) -> SpeechErrors:
    """Count errors over all pairs together, so that long texts weigh more than short ones.

    Args:
        references: What was said, one text per recording.
        hypotheses: What was heard, in the same order.

    Raises:
        ShapeError: There are not as many hypotheses as references.

    Source: Morris, Maier, Green, 2004, "From WER and RIL to MER and WIL"; counted by jiwer.

    Example:
        >>> speech_errors(["the cat sat"], ["the cat sat down"]).insertions
        1
    """
    import jiwer

    if len(references) != len(hypotheses):
        raise ShapeError(f"speech: expected {len(references)} hypotheses, got {len(hypotheses)}")
    said = [normalise_words(text) for text in references]
    heard = [normalise_words(text) for text in hypotheses]
    unsaid = [text for reference, text in zip(said, heard, strict=True) if not reference]
    pairs = [pair for pair in zip(said, heard, strict=True) if pair[0]]
    extra_words, extra_chars = sum(len(text.split()) for text in unsaid), sum(map(len, unsaid))
    n_chars = sum(len(reference) for reference, _ in pairs)
    if not pairs:
        rate = math.inf if extra_words else math.nan
        return SpeechErrors(rate, rate, 0, 0, 0, extra_words)
    words = jiwer.process_words([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    chars = jiwer.process_characters([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    n_words = words.hits + words.substitutions + words.deletions
    insertions = words.insertions + extra_words
    char_errors = chars.substitutions + chars.deletions + chars.insertions + extra_chars
    return SpeechErrors(
        wer=(words.substitutions + words.deletions + insertions) / n_words,
        cer=char_errors / n_chars,
        n_words=n_words,
        substitutions=words.substitutions,
        deletions=words.deletions,
        insertions=insertions,
    )


def repetition_ratio(text: str) -> float:
    """Share of a text's groups of four words that were said before on the same page of 200 words.

    Recognisers that lose the thread say the same words in a loop.

    Returns:
        In [0, 1]; 0 for fewer than five words. Prose has 0.00 to 0.03, a song up to 0.4.

    Source: Holtzman et al., 2020, "The Curious Case of Neural Text Degeneration" (n-gram
    repetition); Welleck et al., 2020, "Neural Text Generation with Unlikelihood Training".

    Example:
        >>> repetition_ratio("thank you " * 10)
        0.882
    """
    n_groups = n_distinct = 0
    for page in _pages(text):
        groups = [tuple(page[at : at + _NGRAM]) for at in range(len(page) - _NGRAM + 1)]
        n_groups += len(groups)
        n_distinct += len(set(groups))
    return round(1 - n_distinct / n_groups, 3) if n_groups > 1 else 0.0


def compression_ratio(text: str) -> float:
    """How many times smaller zlib makes a text, page by page of 200 words, bytes to bytes.

    Returns:
        Prose has 1.6 to 2.1; a loop of words has more. Near or below 1 for a few words.

    Source: Radford et al., 2022, "Robust Speech Recognition via Large-Scale Weak Supervision",
    section 4.5, which calls windows of 30 s above 2.4 made up.

    Example:
        >>> compression_ratio("thank you " * 10)
        4.714
    """
    return round(zlib_ratio(*(" ".join(page) for page in _pages(text))), 3)


def zlib_ratio(*texts: str) -> float:
    """How many times smaller zlib makes texts as they are, each by itself, bytes to bytes.

    Returns:
        0 without texts; below 1 for short ones.

    Example:
        >>> round(zlib_ratio("Thank you. " * 10), 3)
        5.0
    """
    raw = [text.encode("utf-8", "surrogatepass") for text in texts if text]
    packed = sum(len(zlib.compress(each)) for each in raw)
    return sum(map(len, raw)) / packed if packed else 0.0


def _pages(text: str) -> list[list[str]]:
    words = normalise_words(text).split()
    pages = [words[at : at + _PAGE_WORDS] for at in range(0, len(words), _PAGE_WORDS)]
    if len(pages) > 1 and len(pages[-1]) < _PAGE_WORDS // 2:
        last = pages.pop()
        pages[-1] += last
    return pages
