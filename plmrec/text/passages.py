"""Cut text into passages that fit an encoder: at sentence borders, with overlap, nothing lost."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, TypeVar

from plmrec.types import Passage, Segment

T = TypeVar("T")
TokenCounter: TypeAlias = Callable[[Sequence[str]], list[int]]

# After a mark that ends a sentence, with closing quotes, up to the next word; or at a line break.
_SENTENCE_BORDER: Final = re.compile(
    r"(?<=[.!?…؟۔।])[\"'”’»)\]]*\s+|(?<=[。！？])[」』”]*\s*|\n+\s*"  # noqa: RUF001
)
_WORD: Final = re.compile(r"\s*\S+\s*")
_SAME_S: Final = 1e-6  # seconds below which two spans are equally long


@dataclass(frozen=True, slots=True)
class _Unit:
    """A piece that is not cut further: a sentence, or a part of one too long for a passage."""

    text: str  # with the white space that follows it
    n_tokens: int
    start_s: float | None = None
    end_s: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class _Limits:
    """What a passage may hold, and share with the one before."""

    max_tokens: int
    overlap_tokens: int
    max_s: float = math.inf

    def holds(self, group: Sequence[_Unit]) -> bool:
        """Tell whether some units are few and short enough for one passage."""
        start_s, end_s = _span(group) or (0.0, 0.0)
        return _n_tokens(group) <= self.max_tokens and end_s - start_s <= self.max_s + _SAME_S


def cut_text(
    text: str, *, max_tokens: int, overlap_tokens: int, count_tokens: TokenCounter
) -> list[Passage]:
    """Cut written text into passages.

    Args:
        text: Any text; white space alone gives no passage.
        max_tokens: Largest passage, in the encoder's tokens; >= 1.
        overlap_tokens: Whole sentences of up to this many tokens together, which end a passage,
            also begin the next one.
        count_tokens: Counts the tokens of each text, as ``Encoder.count_tokens`` does.

    Returns:
        Passages in order, none empty. Each has at most ``max_tokens`` tokens, but for a single
        character of more. Every word is in one of them, whole unless it alone is too long.
    """
    units = _units([_Unit(text, 0)], max_tokens, count_tokens)
    return _passages(units, _Limits(max_tokens, overlap_tokens), count_tokens)


def cut_segments(
    segments: Iterable[Segment],
    *,
    max_tokens: int,
    overlap_tokens: int,
    count_tokens: TokenCounter,
    max_s: float = math.inf,
) -> list[Passage]:
    """Cut spoken text into passages that know when they were spoken.

    A passage spans its segments, from the earliest start to the latest end; a segment that is
    cut for its tokens gives its whole span to each part. One longer than ``max_s`` is first cut
    into parts of equal time, each with its share of the words, as if they were spoken evenly.
    See ``cut_text`` for the other arguments and the promise.

    Args:
        segments: In any order; they are taken by start time.
        max_tokens: Largest passage, tokens.
        overlap_tokens: Tokens two neighbours share at most.
        count_tokens: Counts the tokens of each text.
        max_s: Longest span of a passage, seconds, > 0.
    """
    parts = [part for segment in segments for part in _split_by_time(segment, max_s)]
    spans = [
        _Unit(part.text + " ", 0, part.start_s, part.end_s, part.confidence)
        for part in sorted(parts, key=lambda part: (part.start_s, part.end_s))
    ]
    units = _units(spans, max_tokens, count_tokens)
    return _passages(units, _Limits(max_tokens, overlap_tokens, max_s), count_tokens)


def thin_out(passages: Sequence[T], limit: int) -> list[T]:
    """Keep at most ``limit`` passages: the first, and others evenly spread over the rest.

    Example:
        >>> thin_out("abcdefg", 3)
        ['a', 'd', 'g']
    """
    if len(passages) <= limit:
        return list(passages)
    last, steps = len(passages) - 1, max(limit - 1, 1)
    return [passages[number * last // steps] for number in range(limit)]


def _split_by_time(segment: Segment, max_s: float) -> list[Segment]:
    """A segment of at most so many seconds as it is; a longer one in parts of equal time."""
    span_s = segment.end_s - segment.start_s
    if span_s <= max_s:
        return [segment]
    words = _WORD.findall(segment.text)
    n_parts = min(math.ceil(span_s / max_s), len(words))
    ends = itertools.accumulate(map(len, words))
    held = [""] * n_parts
    for word, end in zip(words, ends, strict=True):
        held[min((end - 1) * n_parts // len(segment.text), n_parts - 1)] += word
    return [
        replace(
            segment,
            text=text,
            start_s=segment.start_s + span_s * place / n_parts,
            end_s=segment.start_s + span_s * (place + 1) / n_parts,
        )
        for place, text in enumerate(held)
        if text.strip()
    ]


def _units(spans: Sequence[_Unit], max_tokens: int, count_tokens: TokenCounter) -> list[_Unit]:
    """Cut spans at sentence borders, and sentences too long for a passage between words."""
    pieces = [replace(span, text=part) for span in spans for part in _sentences(span.text)]
    counts = count_tokens([piece.text for piece in pieces])
    units: list[_Unit] = []
    for piece, n_tokens in zip(pieces, counts, strict=True):
        parts = [(piece.text, n_tokens)]
        if n_tokens > max_tokens:
            parts = _split_by_words(piece.text, max_tokens, count_tokens)
        units += [replace(piece, text=part, n_tokens=n_part) for part, n_part in parts]
    return units


def _sentences(text: str) -> list[str]:
    """Cut at sentence borders; joined again, the pieces are the text, white space aside."""
    borders = [0, *(match.end() for match in _SENTENCE_BORDER.finditer(text)), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(borders)]
    return [piece for piece in pieces if piece.strip()]


def _split_by_words(
    text: str, max_tokens: int, count_tokens: TokenCounter
) -> list[tuple[str, int]]:
    """Parts of whole words and their tokens; a word that alone is too long stays a part."""
    words = _WORD.findall(text)
    parts: list[tuple[str, int]] = []
    held, n_held = "", 0
    for word, n_tokens in zip(words, count_tokens(words), strict=True):
        if held and n_held + n_tokens > max_tokens:
            parts.append((held, n_held))
            held, n_held = "", 0
        held, n_held = held + word, n_held + n_tokens
    return [*parts, (held, n_held)]


def _passages(units: Sequence[_Unit], limits: _Limits, count_tokens: TokenCounter) -> list[Passage]:
    groups, max_tokens = _pack(units, limits), limits.max_tokens
    while groups:
        # What does not fit is halved: words without end, and groups for which the tokenizer
        # needs more tokens than for their parts.
        counts = count_tokens([_text(group) for group in groups])
        if not any(map(_can_be_halved, groups, counts, itertools.repeat(max_tokens))):
            break
        groups = [
            part
            for group, n_tokens in zip(groups, counts, strict=True)
            for part in (_halves(group) if _can_be_halved(group, n_tokens, max_tokens) else [group])
        ]
    return [_passage(group) for group in groups]


def _can_be_halved(group: Sequence[_Unit], n_tokens: int, max_tokens: int) -> bool:
    return n_tokens > max_tokens and len(_text(group)) > 1


def _halves(group: list[_Unit]) -> list[list[_Unit]]:
    """Two halves of a group; a single unit is cut at the space before its middle, if it has one."""
    if len(group) > 1:
        return [group[: len(group) // 2], group[len(group) // 2 :]]
    unit, text = group[0], group[0].text.strip()
    middle = text.rfind(" ", 1, len(text) // 2 + 1)
    middle = middle if middle > 0 else len(text) // 2
    return [[replace(unit, text=part)] for part in (text[:middle], text[middle:])]


def _pack(units: Sequence[_Unit], limits: _Limits) -> list[list[_Unit]]:
    groups: list[list[_Unit]] = []
    group: list[_Unit] = []
    for unit in units:
        if group and not limits.holds([*group, unit]):
            groups.append(group)
            group = _tail(group, min(limits.overlap_tokens, limits.max_tokens - unit.n_tokens))
            while group and not limits.holds([*group, unit]):
                group = group[1:]
        group.append(unit)
    return [*groups, group] if group else groups


def _tail(group: Sequence[_Unit], max_tokens: int) -> list[_Unit]:
    """Longest run of units at the end of a group with at most so many tokens, never all of it."""
    tail: list[_Unit] = []
    for unit in reversed(group[1:]):
        if _n_tokens(tail) + unit.n_tokens > max_tokens:
            break
        tail.insert(0, unit)
    return tail


def _n_tokens(group: Sequence[_Unit]) -> int:
    return sum(unit.n_tokens for unit in group)


def _text(group: Sequence[_Unit]) -> str:
    return "".join(unit.text for unit in group).strip()


def _span(group: Sequence[_Unit]) -> tuple[float, float] | None:
    """From the earliest start to the latest end, seconds; None for what was not spoken."""
    starts = [unit.start_s for unit in group if unit.start_s is not None]
    ends = [unit.end_s for unit in group if unit.end_s is not None]
    return (min(starts), max(ends)) if starts and ends else None


def _confidence(group: Sequence[_Unit]) -> float | None:
    """Mean of the units' confidence, weighted by their characters."""
    spoken = [unit for unit in group if unit.confidence is not None]
    n_chars = sum(len(unit.text) for unit in spoken)
    if not n_chars:
        return None
    mean = math.fsum((unit.confidence or 0.0) * len(unit.text) for unit in spoken) / n_chars
    return min(max(mean, 0.0), 1.0)


def _passage(group: Sequence[_Unit]) -> Passage:
    start_s, end_s = _span(group) or (None, None)
    return Passage(text=_text(group), start_s=start_s, end_s=end_s, confidence=_confidence(group))
