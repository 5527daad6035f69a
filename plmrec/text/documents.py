"""An item's document: what is written about it and what is said in it, as one text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from plmrec.digests import digest_json
from plmrec.text.passages import TokenCounter, cut_segments, cut_text, thin_out
from plmrec.types import Passage, Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The text of one item.

    Attributes:
        title: Never empty.
        written: Title, genres, description, creators and the first names of the cast, as
            sentences; never empty.
        spoken: The transcript's segments that have words, by start time.
    """

    title: str
    written: str
    spoken: tuple[Segment, ...] = ()

    @property
    def text(self) -> str:
        """All words, what was written first; a blank line stands between the two parts."""
        said = " ".join(segment.text for segment in self.spoken)
        return f"{self.written}\n\n{said}" if said else self.written

    @property
    def digest(self) -> str:
        """Identity of the words and of when they were spoken."""
        spoken = [[segment.start_s, segment.end_s, segment.text] for segment in self.spoken]
        return digest_json({"title": self.title, "written": self.written, "spoken": spoken})


class Chunk(NamedTuple):
    """A passage and what the encoder reads for it.

    Attributes:
        passage: What a reader is shown.
        encoded: The same words; behind the item's title, unless the passage begins with it.
    """

    passage: Passage
    encoded: str


def compose_document(
    *,
    title: str,
    description: str | None = None,
    genres: Sequence[str] = (),
    creators: Sequence[str] = (),
    cast: Sequence[str] = (),
    segments: Sequence[Segment] = (),
) -> Document:
    """Put the parts of an item into one document.

    Genres stand before the description and names after it, so that a text cut at the end loses
    names first. White space is made single; parts without words are left out.

    Args:
        title: The item's title; when it has no words, ``Untitled`` stands for it.
        description: What is written about it.
        genres: Such as ``Drama``.
        creators: Directors, authors, hosts, brands.
        cast: Names, most important first; give only those that should count.
        segments: What is said in it.
    """
    name = _tidy(title) or "Untitled"
    sentences = [
        _sentence(name),
        _sentence(_listed(genres)),
        _sentence(_tidy(description or "")),
        _sentence(_listed(creators), before="By "),
        _sentence(_listed(cast), before="With "),
    ]
    spoken = (
        Segment(
            start_s=segment.start_s,
            end_s=segment.end_s,
            text=_tidy(segment.text),
            confidence=segment.confidence,
        )
        for segment in sorted(segments, key=lambda segment: (segment.start_s, segment.end_s))
    )
    return Document(
        title=name,
        written=" ".join(sentence for sentence in sentences if sentence),
        spoken=tuple(segment for segment in spoken if segment.text),
    )


def cut_document(
    document: Document,
    *,
    max_tokens: int,
    overlap_tokens: int,
    max_passages: int,
    count_tokens: TokenCounter,
) -> list[Chunk]:
    """Cut a document into passages: the written ones first, then the spoken ones.

    Args:
        document: The document.
        max_tokens: Largest text to encode, tokens; >= 8.
        overlap_tokens: Tokens two neighbours share at most.
        max_passages: Of a longer document, passages evenly spread over it are kept; >= 1.
        count_tokens: Counts the tokens of each text.

    Returns:
        At least one chunk; the first begins with the title and is encoded as it is.
    """
    context = _context(document.title, max_tokens=max_tokens, count_tokens=count_tokens)
    room = max_tokens - count_tokens([context])[0]
    first, *rest = cut_text(
        document.written, max_tokens=max_tokens, overlap_tokens=0, count_tokens=count_tokens
    )
    written = cut_text(
        " ".join(passage.text for passage in rest),
        max_tokens=room,
        overlap_tokens=overlap_tokens,
        count_tokens=count_tokens,
    )
    spoken = cut_segments(
        document.spoken,
        max_tokens=room,
        overlap_tokens=overlap_tokens,
        count_tokens=count_tokens,
    )
    kept = thin_out([first, *written, *spoken], max_passages)
    return [Chunk(first, first.text), *(Chunk(p, f"{context} {p.text}") for p in kept[1:])]


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
