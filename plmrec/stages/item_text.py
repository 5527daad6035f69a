"""What is said in an item: read in its subtitles, or heard in its media."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from plmrec.digests import digest_json
from plmrec.metrics.speech import compression_ratio, repetition_ratio
from plmrec.speech._media import MediaError
from plmrec.speech.base import Word
from plmrec.stages.media_files import MediaFiles, is_address
from plmrec.stores.quarantine import Refusal
from plmrec.text.subtitles import parse_subtitles
from plmrec.types import Segment

STAGE: Final = "transcribe"
SUBTITLES_VERSION: Final = "subtitles@2"  # raise it when the same file gives other segments
_MAX_SUBTITLES_BYTES: Final = 20 << 20
_LANGUAGE_CODE: Final = re.compile(r"[a-z]{2,3}(?:[-_].*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with one of an item's files.

    Attributes:
        reason: Code of the quarantine.
        detail: One sentence.
        origin: The file.
    """

    reason: str
    detail: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemText:
    """What is said in one item.

    Attributes:
        status: ``subtitles`` or ``speech`` (there is text); ``no_speech``, ``no_audio``, ``none``
            (there is none, which is no fault); ``refused`` (each file that could have given text
            was refused).
        backend: Name and version of what produced the text, or listened and heard none.
        language: As the item says, else as the recogniser does.
        language_confidence: Probability of the language, in [0, 1]; None when nobody measured.
        media_s: Seconds of sound decoded.
        speech_s: Seconds of it that the recogniser was given.
        segments: Empty without text.
        words: The same word by word, where the recogniser times words.
        problems: With the item's files; an item with problems may still have text.
        n_tries: How often it was decoded; None when nothing was.
        verdict: ``accepted``, ``refused`` or ``unjudged`` by the rules of quality; None for what
            is not recognised speech.
    """

    status: str
    backend: str | None = None
    language: str | None = None
    language_confidence: float | None = None
    media_s: float = 0.0
    speech_s: float = 0.0
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()
    problems: tuple[Problem, ...] = ()
    n_tries: int | None = None
    verdict: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values; ``from_json`` reads them."""
        return {
            **asdict(self),
            "segments": [asdict(segment) for segment in self.segments],
            "words": [list(word) for word in self.words],
            "problems": [asdict(problem) for problem in self.problems],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ItemText:
        """Rebuild a text from ``as_json``."""
        return cls(
            **{
                **values,
                "segments": tuple(Segment(**each) for each in values["segments"]),
                "words": tuple(Word(*each) for each in values["words"]),
                "problems": tuple(Problem(**each) for each in values["problems"]),
            }
        )

    def measures(self) -> dict[str, float | None]:
        """Measure recognised speech as a whole; all None for any other text."""
        if self.status != "speech":
            return dict.fromkeys(("confidence", "words_per_s", "repetition", "compression"))
        seconds = [max(segment.end_s - segment.start_s, 0.01) for segment in self.segments]
        weighed = zip(seconds, self.segments, strict=True)
        text = " ".join(segment.text for segment in self.segments)
        return {
            "confidence": round(sum(s * each.confidence for s, each in weighed) / sum(seconds), 4),
            "words_per_s": round(len(text.split()) / max(self.speech_s, 0.1), 3),
            "repetition": repetition_ratio(text),
            "compression": compression_ratio(text),
        }

    def as_row(self, item_id: str) -> dict[str, Any]:
        """Row of the transcripts, without its input digest."""
        row = {
            "item_id": item_id,
            **self.as_json(),
            **self.measures(),
            "words": [word._asdict() for word in self.words],
            "measures": [_measures(each) for each in self.segments] if self.n_tries else [],
        }
        return {**row, "digest": digest_json(row)}


def read_subtitles(
    item: Mapping[str, Any], files: MediaFiles
) -> tuple[ItemText | None, tuple[Problem, ...]]:
    """Read an item's subtitles, if it has any.

    Args:
        item: Row with ``subtitles`` and ``language``.
        files: Where they are.

    Returns:
        The text, None without usable subtitles; and what was wrong with them.
    """
    if not item["subtitles"]:
        return None, ()
    try:
        segments = _read_subtitles(files, item["subtitles"])
    except MediaError as err:
        return None, (problem_of(err, item["subtitles"]),)
    text = ItemText(
        status="subtitles",
        backend=SUBTITLES_VERSION,
        language=item["language"],
        segments=segments,
    )
    return text, ()


def refusals_of(row: Mapping[str, Any]) -> list[Refusal]:
    """What a row of the transcripts puts into the quarantine."""
    return [
        Refusal(stage=STAGE, table="media", key=row["item_id"], **problem)
        for problem in row["problems"] or ()
    ]


def is_understood(language: str | None, by: str | None) -> bool:
    """Tell whether an item's language is the recogniser's; what is no code says nothing."""
    if not language or by is None or not _LANGUAGE_CODE.fullmatch(language):
        return True
    return language[:2].lower() == by[:2].lower()


def problem_of(err: MediaError, origin: str) -> Problem:
    """Describe why a file was refused."""
    return Problem(reason=err.reason, detail=str(err), origin=without_query(origin))


def without_query(name: str) -> str:
    """Leave out of an address what may be a signature."""
    return name.split("?", 1)[0] if is_address(name) else name


def _measures(segment: Segment) -> dict[str, float]:
    seconds = max(segment.end_s - segment.start_s, 0.01)
    return {
        "words_per_s": round(len(segment.text.split()) / seconds, 3),
        "repetition": repetition_ratio(segment.text),
        "compression": compression_ratio(segment.text),
    }


def _read_subtitles(files: MediaFiles, name: str) -> tuple[Segment, ...]:
    with files.open(name) as file:
        data = file.read(_MAX_SUBTITLES_BYTES + 1)
    if len(data) > _MAX_SUBTITLES_BYTES:
        found = f"more than {_MAX_SUBTITLES_BYTES:,} bytes"
    else:
        subtitles = parse_subtitles(data)
        if subtitles.segments:
            return subtitles.segments
        found = f"{subtitles.n_cues} cues, none with time and words"
    raise MediaError(
        f"subtitles: expected SRT or WebVTT, got {found}", reason="subtitles_not_readable"
    )
