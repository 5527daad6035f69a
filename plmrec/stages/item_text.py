"""What is said in an item: from its subtitles, else by recognising the speech of its media."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, Final

from plmrec.digests import digest_json
from plmrec.errors import DataContractError
from plmrec.speech._media import MediaError, open_sound
from plmrec.speech.base import SpeechRecogniser
from plmrec.stages.media_files import MediaFiles, is_address
from plmrec.stores.quarantine import Refusal
from plmrec.text.subtitles import parse_subtitles
from plmrec.types import Segment

STAGE: Final = "transcribe"
SUBTITLES_VERSION: Final = "subtitles@1"  # raise it when the same file gives other segments
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
        media_s: Seconds of sound decoded.
        segments: Empty without text.
        problems: With the item's files; an item with problems may still have text.
    """

    status: str
    backend: str | None = None
    language: str | None = None
    media_s: float = 0.0
    segments: tuple[Segment, ...] = ()
    problems: tuple[Problem, ...] = ()

    def as_row(self, item_id: str) -> dict[str, Any]:
        """Row of the transcripts, without its input digest."""
        row = {"item_id": item_id, **asdict(self)}
        row |= {name: list(row[name]) for name in ("segments", "problems")}
        return {**row, "digest": digest_json(row)}


def find_text(
    item: Mapping[str, Any], *, files: MediaFiles, recogniser: SpeechRecogniser, max_s: float
) -> ItemText:
    """Find an item's text: in its subtitles, else in its media.

    Args:
        item: Row with ``media``, ``subtitles`` and ``language``.
        files: Where media and subtitles are.
        recogniser: Untouched when the item has usable subtitles, or no media.
        max_s: Longer media are refused, seconds.
    """
    language: str | None = item["language"]
    problems: tuple[Problem, ...] = ()
    if item["subtitles"]:
        try:
            segments = _read_subtitles(files, item["subtitles"])
            return ItemText(
                status="subtitles", backend=SUBTITLES_VERSION, language=language, segments=segments
            )
        except MediaError as err:
            problems = (_problem(err, item["subtitles"]),)
    if not item["media"]:
        return ItemText(status="refused" if problems else "none", problems=problems)
    if not _understands(recogniser, language):
        detail = f"media: expected speech in {recogniser.language}, got {language}"
        other = Problem(reason="language_not_supported", detail=detail, origin=item["media"])
        return ItemText(status="none", language=language, problems=(*problems, other))
    try:
        with files.open(item["media"]) as file:
            heard = hear(file, recogniser=recogniser, max_s=max_s, origin=item["media"])
    except MediaError as err:
        return ItemText(status="refused", problems=(*problems, _problem(err, item["media"])))
    return ItemText(
        status=heard.status,
        backend=heard.backend,
        language=language or heard.language,
        media_s=heard.media_s,
        segments=heard.segments,
        problems=(*problems, *heard.problems),
    )


def hear(
    file: BinaryIO, *, recogniser: SpeechRecogniser, max_s: float, origin: str = ""
) -> ItemText:
    """Recognise the speech of one medium.

    Args:
        file: Audio or video, seekable.
        recogniser: Hears the sound in chunks, in bounded memory.
        max_s: Longer media are refused, seconds.
        origin: The file's name or address, for problems.

    Returns:
        Status ``speech``, ``no_speech`` or ``no_audio``; a damaged medium is a problem, but
        what was heard of it counts.

    Raises:
        MediaError: The medium is empty, cannot be decoded, or is too long.
        BackendUnavailableError: The recogniser's weights are not there.
    """
    container, sound = open_sound(file, max_s=max_s)
    with container:
        if sound is None:
            return ItemText(status="no_audio")
        try:
            segments = tuple(recogniser.transcribe(sound.chunks()))
        except MediaError:
            raise
        except DataContractError as err:
            raise MediaError(err.message, hint=err.hint, reason="media_not_recognised") from err
    damage = sound.damage
    problem = Problem(
        reason="media_damaged", detail=f"media: {damage}", origin=_without_query(origin)
    )
    return ItemText(
        status="speech" if segments else "no_speech",
        backend=f"{recogniser.name}@{recogniser.version}",
        language=recogniser.language,
        media_s=round(sound.decoded_s, 3),
        segments=segments,
        problems=(problem,) if damage else (),
    )


def refusals_of(row: Mapping[str, Any]) -> list[Refusal]:
    """What a row of the transcripts puts into the quarantine."""
    return [
        Refusal(stage=STAGE, table="media", key=row["item_id"], **problem)
        for problem in row["problems"] or ()
    ]


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


def _understands(recogniser: SpeechRecogniser, language: str | None) -> bool:
    """Tell whether an item's language is the recogniser's; what is no code says nothing."""
    if not language or recogniser.language is None or not _LANGUAGE_CODE.fullmatch(language):
        return True
    return language[:2].lower() == recogniser.language[:2].lower()


def _problem(err: MediaError, origin: str) -> Problem:
    return Problem(reason=err.reason, detail=str(err), origin=_without_query(origin))


def _without_query(name: str) -> str:
    """Leave out what may be a signature."""
    return name.split("?", 1)[0] if is_address(name) else name
