"""Words, phrases and sentences of a text in any script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Final

MAX_CHARS: Final = 200_000  # of a text that are looked at: its start and evenly spread pieces
_PIECES: Final = 20
_MAX_WORD: Final = 30  # characters; longer runs are no words
_LONG_SENTENCE: Final = 60  # words; what has more, such as speech without stops, is cut

_PLACEHOLDER: Final = re.compile(r"\[(?:email|account|card|address|phone)\]")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")  # noqa: RUF001
_UNSPACED: Final = re.compile(r"[\u3400-\u9fff\u3040-\u30ff\u0e00-\u0e7f]")  # Han, kana, Thai
_HAN: Final = re.compile(r"[\u3400-\u9fff]{2,}|[\u30a0-\u30ff]{2,}|[\u0e00-\u0e7f]{2,}")
_BREAK: Final = re.compile(r"[^\w\s'’-]|\s-+\s|\n")  # noqa: RUF001
_SENTENCE_END: Final = re.compile(
    r"(?<=[.!?…؟۔।])[\"'”’»)\]]*\s+(?=[\W\d]*[^\Wa-zß-ÿ])|(?<=[。！？])[」』”]*\s*|\n+\s*"  # noqa: RUF001
)
_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|st|jr|sr|vs|prof|gen|col|sgt|capt|lt|rev|hon|no|dept|inc|ltd|co|etc"
    r"|e\.g|i\.e|u\.s|bzw|ca|z\.b|m|mme)|\b[A-Z])\.$",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """A text without placeholders of personal data; of a very long one, pieces spread over it."""
    if len(text) > MAX_CHARS:
        size, last = MAX_CHARS // _PIECES, len(text) - MAX_CHARS // _PIECES
        starts = [last * number // (_PIECES - 1) for number in range(_PIECES)]
        text = "\n".join(_whole(text[start : start + size]) for start in starts)
    return _PLACEHOLDER.sub(" ", text)


def words(text: str) -> list[str]:
    """Words in lower case, of letters only; scripts without spaces are cut into pairs of signs.

    Example:
        >>> words("Don't look up, 2021! 東京物語")
        ["don't", 'look', 'up', '東京', '京物', '物語']
    """
    found: list[str] = []
    for match in _WORD.finditer(text):
        word = match.group()
        if _UNSPACED.search(word):
            found += _pairs(word)
        elif len(word) <= _MAX_WORD:
            found.append(word.lower().replace("’", "'"))  # noqa: RUF001
    return found


def content_words(text: str) -> list[str]:
    """Words of a text, very common words of its language left out."""
    stops = stop_words()
    return [word for word in words(text) if word not in stops and len(word) > 1]


def phrases(text: str, longest: int) -> Iterator[str]:
    """Phrases that could be keywords, in the order they appear, in lower case.

    They are runs of 1 to ``longest`` words within a part of a sentence that neither begin nor end
    in a very common word.
    """
    stops = stop_words()
    for part in _BREAK.split(text):
        run = words(part)
        for start, first in enumerate(run):
            if first in stops or len(first) < 2:
                continue
            for end in range(start + 1, min(start + longest, len(run)) + 1):
                if run[end - 1] in stops or len(run[end - 1]) < 2:
                    continue
                yield " ".join(run[start:end])


def sentences(text: str) -> list[str]:
    """Sentences of a text, as they stand there; very long ones are cut between words.

    Example:
        >>> sentences("Dr. No meets J. Bond. He wins! Does he?")
        ['Dr. No meets J. Bond.', 'He wins!', 'Does he?']
    """
    found: list[str] = []
    held = ""
    for piece in _SENTENCE_END.split(text):
        held = f"{held} {piece}".strip() if held else piece.strip()
        if held and not _ABBREVIATION.search(held[-12:]):
            found.append(held)
            held = ""
    if held:
        found.append(held)
    return [part for sentence in found for part in _cut(sentence)]


def _whole(piece: str) -> str:
    """A piece without the parts of sentences at its ends, where it has whole ones."""
    first = _SENTENCE_END.search(piece, 0, 1000)
    start = first.end() if first else 0
    ends = [piece.rfind(mark, len(piece) - 1000) + 1 for mark in (". ", "! ", "? ", "。")]
    return piece[start : max(*ends, 0)] or piece[start:]


def count_letters(text: str) -> int:
    """Letters of a text; a sign of a script without spaces counts as four."""
    letters = sum(map(str.isalpha, text))
    return letters + 3 * len(_UNSPACED.findall(text))


def _cut(sentence: str) -> Iterator[str]:
    parts = sentence.split()
    if len(parts) <= _LONG_SENTENCE:
        yield sentence
        return
    n_parts = -(-len(parts) // _LONG_SENTENCE)
    for number in range(n_parts):
        start, end = (len(parts) * place // n_parts for place in (number, number + 1))
        yield " ".join(parts[start:end])


def _pairs(word: str) -> list[str]:
    """Neighbouring signs of scripts without spaces, two by two."""
    return [run[start : start + 2] for run in _HAN.findall(word) for start in range(len(run) - 1)]


@lru_cache(maxsize=1)
def stop_words() -> frozenset[str]:
    """Very common words of English, German, French, Spanish, Italian, Portuguese and Dutch."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    others = files("plmrec.understanding").joinpath("stop_words.txt").read_text(encoding="utf-8")
    return frozenset(ENGLISH_STOP_WORDS) | frozenset(others.split())
