"""An item's document: the facts about it, what is written about it, and what is said in it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from plmrec.digests import digest_json
from plmrec.text.passages import TokenCounter, cut_segments, cut_text, thin_out
from plmrec.text.privacy import KINDS, mask_text, mask_texts
from plmrec.types import Passage, Segment


class Part(StrEnum):
    """What a passage was cut from."""

    HEADER = "header"
    DESCRIPTION = "description"
    SPEECH = "speech"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemText:
    """What is known of an item in words.

    Attributes:
        title: The item's title.
        year: When it was published.
        description: What is written about it.
        genres: Such as ``Drama``.
        creators: Directors, authors, hosts, brands.
        cast: Names, most important first; those that should count.
    """

    title: str
    year: int | None = None
    description: str = ""
    genres: tuple[str, ...] = ()
    creators: tuple[str, ...] = ()
    cast: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The text of one item.

    Attributes:
        title: Never empty.
        header: Title with year, genres, creators and the first names of the cast, as sentences;
            never empty.
        description: What is written about it; may be empty.
        spoken: The transcript's segments that have words, by start time.
        masked: Personal data that was masked in it, by kind.
    """

    title: str
    header: str
    description: str = ""
    spoken: tuple[Segment, ...] = ()
    masked: Mapping[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All words; a blank line stands between header, description and speech."""
        said = " ".join(segment.text for segment in self.spoken)
        return "\n\n".join(part for part in (self.header, self.description, said) if part)

    @property
    def digest(self) -> str:
        """Identity of the words and of when they were spoken."""
        spoken = [[segment.start_s, segment.end_s, segment.text] for segment in self.spoken]
        return digest_json([self.title, self.header, self.description, spoken])


class Chunk(NamedTuple):
    """A passage and what the encoder reads for it.

    Attributes:
        part: What it was cut from.
        passage: What a reader is shown.
        encoded: The same words; behind the item's title, unless the passage begins with it.
    """

    part: Part
    passage: Passage
    encoded: str


def mask_item(
    about: ItemText, segments: Sequence[Segment]
) -> tuple[ItemText, list[Segment], dict[str, int]]:
    """Mask the personal data in what is known of an item and in what is said in it.

    Returns:
        Both without personal data, and how many of each kind there were; see ``mask_texts``.
    """
    found: Counter[str] = Counter()

    def clean(text: str) -> str:
        masked = mask_text(text)
        found.update(masked.counts)
        return masked.text

    def clean_all(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(clean, texts))

    masked_about = replace(
        about,
        title=clean(about.title),
        description=clean(about.description),
        genres=clean_all(about.genres),
        creators=clean_all(about.creators),
        cast=clean_all(about.cast),
    )
    in_order = sorted(segments, key=lambda segment: (segment.start_s, segment.end_s))
    said, counts = mask_texts([segment.text for segment in in_order])
    found.update(counts)
    spoken = [replace(segment, text=text) for segment, text in zip(in_order, said, strict=True)]
    return masked_about, spoken, {kind: found[kind] for kind in KINDS if found[kind]}


def compose_document(
    about: ItemText,
    segments: Sequence[Segment] = (),
    *,
    masked: Mapping[str, int] = MappingProxyType({}),
) -> Document:
    """Put the parts of an item into one document.

    The facts about an item stay apart from its description: they are what tells one item's taste
    from another's, and in one vector with a long text they would drown. White space is made
    single; parts without words are left out.

    Args:
        about: What is known of the item; a title without words becomes ``Untitled``.
        segments: What is said in it, in any order.
        masked: Personal data masked in both, by kind.

    Example:
        >>> compose_document(ItemText(title="Alien", year=1979, genres=("Horror",))).header
        'Alien (1979). Horror.'
    """
    name = _tidy(about.title) or "Untitled"
    year = "" if about.year is None or str(about.year) in name else f" ({about.year})"
    sentences = (
        _sentence(name + year),
        _sentence(_listed(about.genres)),
        _sentence(_listed(about.creators), before="By "),
        _sentence(_listed(about.cast), before="With "),
    )
    spoken = (
        replace(segment, text=_tidy(segment.text))
        for segment in sorted(segments, key=lambda segment: (segment.start_s, segment.end_s))
    )
    return Document(
        title=name,
        header=" ".join(sentence for sentence in sentences if sentence),
        description=_tidy(about.description),
        spoken=tuple(segment for segment in spoken if segment.text),
        masked=dict(masked),
    )


def cut_document(
    document: Document,
    *,
    max_tokens: int,
    overlap_tokens: int,
    max_passages: int,
    count_tokens: TokenCounter,
    passage_s: float = math.inf,
) -> list[Chunk]:
    """Cut a document into passages: header, description, speech, in this order.

    Args:
        document: The document.
        max_tokens: Largest text to encode, tokens; >= 8.
        overlap_tokens: Tokens two neighbours of one part share at most.
        max_passages: Of a longer document, passages evenly spread over it are kept; >= 1.
        count_tokens: Counts the tokens of each text.
        passage_s: Longest span of a spoken passage, seconds.

    Returns:
        At least one chunk; the first begins with the title and is encoded as it is.
    """
    context = _context(document.title, max_tokens=max_tokens, count_tokens=count_tokens)
    room = max_tokens - count_tokens([context])[0]
    head, *rest = cut_text(
        document.header, max_tokens=max_tokens, overlap_tokens=0, count_tokens=count_tokens
    )
    cut: dict[Part, list[Passage]] = {
        part: cut_text(
            text, max_tokens=room, overlap_tokens=overlap_tokens, count_tokens=count_tokens
        )
        for part, text in (
            (Part.HEADER, " ".join(passage.text for passage in rest)),
            (Part.DESCRIPTION, document.description),
        )
    }
    cut[Part.SPEECH] = cut_segments(
        document.spoken,
        max_tokens=room,
        overlap_tokens=overlap_tokens,
        count_tokens=count_tokens,
        max_s=passage_s,
    )
    chunks = [Chunk(Part.HEADER, head, head.text)] + [
        Chunk(part, passage, f"{context} {passage.text}")
        for part, passages in cut.items()
        for passage in passages
    ]
    return thin_out(chunks, max_passages)


def _context(title: str, *, max_tokens: int, count_tokens: TokenCounter) -> str:
    """The title as a sentence; of a long one, what fits a quarter of the encoder's room."""
    head = cut_text(
        title, max_tokens=max(max_tokens // 4, 1), overlap_tokens=0, count_tokens=count_tokens
    )
    return _sentence(head[0].text)


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name for name in map(_tidy, names) if name)


def _sentence(text: str, *, before: str = "") -> str:
    """The words with a full stop, unless they end in a mark of their own; empty stays empty."""
    if not text:
        return ""
    return f"{before}{text}" if text[-1] in ".!?…。！？؟" else f"{before}{text}."  # noqa: RUF001
