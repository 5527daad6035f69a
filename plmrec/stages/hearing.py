"""Hearing media: decode, find speech, recognise it in batches, keep what is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Protocol

from plmrec.errors import DataContractError
from plmrec.speech._media import MediaError, Sound, open_sound
from plmrec.speech._pauses import Detector, cut_at_pauses
from plmrec.speech.base import Heard, Mark, Span, SpeechRecogniser, Spoken, Word
from plmrec.stages.item_text import ItemText, Problem, problem_of, without_query
from plmrec.types import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One medium to hear.

    Attributes:
        key: What its notes are kept under.
        origin: The file's name or address, for problems.
        open: Opens its bytes, seekable; raises MediaError.
        language: As the item says.
    """

    key: str
    origin: str
    open: Callable[[], BinaryIO]
    language: str | None = None


class Notes(Protocol):
    """Keeps what was heard of a long medium, so that an interrupted run can go on."""

    def read(self, key: str) -> list[dict[str, Any]]:
        """Return the notes on a medium in the order in which they were made."""

    def add(self, key: str, number: int, note: dict[str, Any]) -> None:
        """Keep a note; the numbers of a medium count from 0."""


class NoNotes:
    """Keeps nothing."""

    def read(self, key: str) -> list[dict[str, Any]]:
        """See Notes.read."""
        del key
        return []

    def add(self, key: str, number: int, note: dict[str, Any]) -> None:
        """See Notes.add."""


def hear(
    media: Sequence[Medium],
    *,
    recogniser: SpeechRecogniser,
    detector: Detector,
    max_s: float,
    notes: Notes | None = None,
    rest: Callable[[], None] = lambda: None,
) -> list[ItemText]:
    """Recognise the speech of some media; short ones share the recogniser's batches.

    Memory holds one batch of spans and the text, however long a medium is. What was heard up to
    the last pause is noted before the next batch is recognised; notes of an earlier run are
    read, and the sound they cover is neither searched nor recognised again.

    Args:
        media: Heard in this order.
        recogniser: Is given spans of speech alone.
        detector: Finds speech; what it remembers of one medium is forgotten before the next.
        max_s: Longer media are refused, seconds.
        notes: Where to keep what was heard.
        rest: Called between two batches when all that was heard is noted; may raise to stop.

    Returns:
        For each medium a text of status ``speech``, ``no_speech``, ``no_audio``, or ``refused``
        with a problem that says why; a damaged medium is a problem, but what was heard of it
        counts.

    Raises:
        BackendUnavailableError: The recogniser's or the detector's weights are not there.
    """
    batch = _Batch(recogniser, rest)
    parts = [_Part.resume(medium, notes or NoNotes()) for medium in media]
    for part in parts:
        _hear_one(part, batch, detector, max_s)
    batch.flush()
    return [part.text(recogniser) for part in parts]


def _hear_one(part: _Part, batch: _Batch, detector: Detector, max_s: float) -> None:
    try:
        with part.medium.open() as file:
            container, sound = open_sound(file, max_s=max_s)
            with container:
                if sound is None:
                    part.has_sound = False
                    return
                for span in _spans(sound, part, batch.recogniser, detector):
                    batch.add(part, span)
                    if part.error:
                        return
        part.media_s, part.damage = sound.decoded_s, sound.damage
    except MediaError as err:
        part.error = err


def _spans(
    sound: Sound, part: _Part, recogniser: SpeechRecogniser, detector: Detector
) -> Iterator[Span]:
    return cut_at_pauses(
        sound.chunks(part.mark.sample),
        window=recogniser.window,
        detector=detector,
        start=part.mark,
    )


@dataclass(slots=True, kw_only=True)
class _Part:
    """One medium while it is being heard."""

    medium: Medium
    notes: Notes
    spoken: Spoken | None = None
    mark: Mark = field(default_factory=Mark)
    speech_s: float = 0.0
    segments: list[Segment] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    media_s: float = 0.0
    damage: str = ""
    has_sound: bool = True
    error: MediaError | None = None
    n_notes: int = 0
    n_noted: tuple[int, int] = (0, 0)  # segments and words in the notes
    is_noted: bool = True
    is_in_pause: bool = True  # the last span ended in one

    @classmethod
    def resume(cls, medium: Medium, notes: Notes) -> _Part:
        part = cls(medium=medium, notes=notes)
        for note in notes.read(medium.key):
            part.segments += [Segment(**each) for each in note["segments"]]
            part.words += [Word(*each) for each in note["words"]]
            part.mark = Mark(**{**note["mark"], "state": tuple(note["mark"]["state"])})
            part.speech_s, part.spoken = note["speech_s"], Spoken(*note["spoken"])
            part.n_notes += 1
        part.n_noted = (len(part.segments), len(part.words))
        return part

    def add(self, span: Span, heard: Heard) -> None:
        self.segments += heard.segments
        self.words += heard.words
        self.speech_s += span.end_s - span.start_s
        self.is_noted = False
        self.is_in_pause = span.mark is not None
        self.mark = span.mark or self.mark

    def note(self) -> None:
        """Note what was heard, if the last span ended in a pause."""
        if self.is_noted or not self.is_in_pause:
            return
        n_segments, n_words = self.n_noted
        note = {
            "segments": [asdict(segment) for segment in self.segments[n_segments:]],
            "words": [list(word) for word in self.words[n_words:]],
            "mark": asdict(self.mark),
            "speech_s": self.speech_s,
            "spoken": list(self.spoken or Spoken()),
        }
        self.notes.add(self.medium.key, self.n_notes, note)
        self.n_notes, self.is_noted = self.n_notes + 1, True
        self.n_noted = (len(self.segments), len(self.words))

    def text(self, recogniser: SpeechRecogniser) -> ItemText:
        origin = self.medium.origin
        if self.error is not None:
            return ItemText(status="refused", problems=(problem_of(self.error, origin),))
        if not self.has_sound:
            return ItemText(status="no_audio")
        spoken = self.spoken or Spoken(recogniser.language)
        problem = Problem(
            reason="media_damaged", detail=f"media: {self.damage}", origin=without_query(origin)
        )
        return ItemText(
            status="speech" if self.segments else "no_speech",
            backend=f"{recogniser.name}@{recogniser.version}",
            language=self.medium.language or spoken.language,
            language_confidence=spoken.confidence,
            media_s=round(self.media_s, 3),
            speech_s=round(min(self.speech_s, self.media_s), 3),  # zeros may fill the last frame
            segments=tuple(self.segments),
            words=tuple(self.words),
            problems=(problem,) if self.damage else (),
            n_tries=1 if self.segments else None,
        )


class _Batch:
    """Spans that wait to be recognised together."""

    def __init__(self, recogniser: SpeechRecogniser, rest: Callable[[], None]) -> None:
        self.recogniser = recogniser
        self._rest = rest
        self._waiting: list[tuple[_Part, Span]] = []

    def add(self, part: _Part, span: Span) -> None:
        if part.spoken is None:
            part.spoken = self.recogniser.spoken_language(span, part.medium.language)
        self._waiting.append((part, span))
        if len(self._waiting) >= self.recogniser.batch_size:
            self.flush()

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        parts = {id(part): part for part, _ in waiting}
        for part in parts.values():
            part.note()
        if all(part.is_noted for part in parts.values()):
            self._rest()
        for (part, span), heard in zip(waiting, self._recognise(waiting), strict=True):
            if isinstance(heard, MediaError):
                part.error = heard
            else:
                part.add(span, heard)

    def _recognise(self, waiting: list[tuple[_Part, Span]]) -> list[Heard | MediaError]:
        """Recognise a batch; when it fails, each span by itself, to know which one it is."""
        spans = [span for _, span in waiting]
        languages = [part.spoken.language if part.spoken else None for part, _ in waiting]
        try:
            return list(self.recogniser.recognise(spans, languages))
        except MediaError:
            raise
        except DataContractError as err:
            if len(waiting) == 1:
                return [MediaError(err.message, hint=err.hint, reason="media_not_recognised")]
        return [heard for each in waiting for heard in self._recognise([each])]
