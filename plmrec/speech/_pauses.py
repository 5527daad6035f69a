"""Spans of sound, cut at pauses: bounded input for a recogniser, and none of the silence."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from plmrec.speech.base import SAMPLE_RATE_HZ, Mark, Samples, Span, Window

_FLOOR_DB: Final = -62.0  # below this a room is silent, whatever it sounds like
_MARGIN_DB: Final = 8.0  # speech stands out from the background by at least this much
_RISE_DB_PER_S: Final = 1.5  # how fast the background may grow
_SHORT_PAUSE_S: Final = 0.4  # ends a span that is long enough
_MIN_SURE: Final = 3  # frames that end three sure ones: with fewer there are but clicks


class Detector(Protocol):
    """Tells speech from all else, frame by frame, in one medium.

    Attributes:
        frame: Samples of a frame.
        pad_s: Seconds kept on either side of a span, because words begin and end softly.
    """

    @property
    def frame(self) -> int: ...

    @property
    def pad_s(self) -> float: ...

    def prepare(self, levels: Sequence[float]) -> None:
        """Look ahead at the levels, in dB, of the frames that ``rate`` is asked for next."""

    def rate(self, frame: Samples, level: float) -> int:
        """Tell whether the next frame holds speech; a pass over the sound asks for each once.

        Returns:
            0 for none, 1 for what may be speech, 2 for what surely is: a span without any frame
            of which the detector is sure is dropped.
        """

    def state(self) -> tuple[float, ...]:
        """Return all it remembers of the sound so far."""

    def restore(self, state: Sequence[float]) -> None:
        """Go on from a state; from an empty one as at the start of a medium."""


class Energy:
    """Takes for speech what is louder than the background.

    A frame of 20 ms is loud when it stands 8 dB out of the background, which is followed by its
    minima and may rise by 1.5 dB per second: steady noise and hum are background after a while.
    """

    frame = 320
    pad_s = 0.24

    def __init__(self) -> None:
        self._background: float | None = None
        self._rise = _RISE_DB_PER_S * self.frame / SAMPLE_RATE_HZ

    def prepare(self, levels: Sequence[float]) -> None:
        """See Detector.prepare."""
        if self._background is None:
            self._background = min(levels)

    def rate(self, frame: Samples, level: float) -> int:
        """See Detector.rate."""
        del frame
        background = level if self._background is None else self._background
        self._background = max(min(level, background + self._rise), _FLOOR_DB)
        return 2 if level > self._background + _MARGIN_DB else 0

    def state(self) -> tuple[float, ...]:
        """See Detector.state."""
        return () if self._background is None else (self._background,)

    def restore(self, state: Sequence[float]) -> None:
        """See Detector.restore."""
        self._background = state[0] if state else None


def cut_at_pauses(
    chunks: Iterable[Samples],
    *,
    window: Window,
    detector: Detector | None = None,
    start: Mark | None = None,
) -> Iterator[Span]:
    """Cut sound into spans of speech at its pauses and leave out what is no speech.

    A span ends at a long pause, or at one of 0.4 s once it is ``min_s`` long; one that reaches
    ``max_s`` is cut at the longest pause in its second half, else at its quietest frame there.

    Args:
        chunks: Consecutive mono sound at ``SAMPLE_RATE_HZ``, each float32 ``(n,)``; where the
            sound is cut into chunks makes no difference. They begin at ``start``.
        window: What spans are wanted.
        detector: Tells what is speech; by default, what is louder than the background.
        start: The mark of a span of an earlier pass, to find exactly the spans that follow it.
    """
    start = start or Mark()
    if window.hears_all:
        yield from _cut_blindly(chunks, window, start)
        return
    detector = detector or Energy()
    detector.restore(start.state)
    cutter = _Cutter(
        frame=detector.frame,
        pad_s=detector.pad_s,
        window=window,
        n_seen=start.sample // detector.frame,
    )
    n_lead = start.lead
    for frames in _seconds(chunks, detector.frame):
        power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / detector.frame
        levels = (10.0 * np.log10(power + 1e-12)).tolist()
        detector.prepare(levels)
        for frame, level in zip(frames, levels, strict=True):
            if n_lead:  # heard by the pass that left the mark
                n_lead -= 1
                cutter.lead_in(frame)
                continue
            span = cutter.add(frame, level, rated=detector.rate(frame, level))
            if span is not None:
                mark = cutter.mark(detector.state())
                yield Span(start_s=span.start_s, samples=span.samples, mark=mark)
    if (span := cutter.close()) is not None:
        yield span


def _cut_blindly(chunks: Iterable[Samples], window: Window, start: Mark) -> Iterator[Span]:
    size = max(int(window.max_s * SAMPLE_RATE_HZ), 1)
    first, rest = start.sample, np.zeros(0, dtype=np.float32)
    for chunk in chunks:
        rest = np.concatenate([rest, chunk])
        while rest.size >= size:
            mark = Mark(sample=first + size)
            yield Span(start_s=first / SAMPLE_RATE_HZ, samples=rest[:size], mark=mark)
            first, rest = first + size, rest[size:]
    if rest.size:
        yield Span(start_s=first / SAMPLE_RATE_HZ, samples=rest)


def _seconds(chunks: Iterable[Samples], frame: int) -> Iterator[Samples]:
    """Regroup sound into frames, about a second ``(n, frame)`` at a time; zeros fill the last."""
    size = frame * (SAMPLE_RATE_HZ // frame)
    rest = np.zeros(0, dtype=np.float32)
    for chunk in chunks:
        rest = np.concatenate([rest, chunk])
        while rest.size >= size:
            yield rest[:size].reshape(-1, frame)
            rest = rest[size:]
    if rest.size:
        yield np.pad(rest, (0, -rest.size % frame)).reshape(-1, frame)


@dataclass(slots=True, kw_only=True)
class _Cutter:
    """Collects frames into spans; at most those of the longest span are held."""

    frame: int
    pad_s: float
    window: Window
    n_seen: int = 0
    pause: int = 0  # quiet frames at the end of the open span
    frames: list[Samples] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    loud: list[int] = field(default_factory=list)
    lead: deque[Samples] = field(default_factory=deque)
    max_frames: int = 0
    min_frames: int = 0
    long_pause: int = 0
    short_pause: int = 0
    pad: int = 0

    def __post_init__(self) -> None:
        self.max_frames = self._count(self.window.max_s)
        self.min_frames = self._count(self.window.min_s)
        self.long_pause = self._count(self.window.long_pause_s)
        self.short_pause = self._count(_SHORT_PAUSE_S)
        self.pad = self._count(self.pad_s)
        self.lead = deque(maxlen=self.pad)

    def _count(self, seconds: float) -> int:
        return int(seconds * SAMPLE_RATE_HZ / self.frame + 1e-9)

    def lead_in(self, frame: Samples) -> None:
        """Take a frame that is known to hold no speech."""
        self.n_seen += 1
        self.lead.append(frame)

    def add(self, frame: Samples, level: float, *, rated: int) -> Span | None:
        """Take the next frame; return the span that it completes, if any."""
        if not self.frames:
            if not rated:
                self.lead_in(frame)
                return None
            self.frames = list(self.lead)
            self.levels = [_FLOOR_DB] * len(self.frames)
            self.loud = [0] * len(self.frames)
            self.lead.clear()
        self.n_seen += 1
        self.frames.append(frame)
        self.levels.append(level)
        self.loud.append(rated)
        self.pause = 0 if rated else self.pause + 1
        needed = self.short_pause if len(self.frames) >= self.min_frames else self.long_pause
        if self.pause >= needed:
            return self.close()
        if len(self.frames) >= self.max_frames:
            return self._take(_best_cut(self.levels, self.loud))
        return None

    def mark(self, state: tuple[float, ...]) -> Mark | None:
        """Where to go on from here; None while a span is open."""
        if self.frames:
            return None
        n_lead = len(self.lead)
        return Mark(sample=(self.n_seen - n_lead) * self.frame, lead=n_lead, state=state)

    def close(self) -> Span | None:
        """End the open span in its pause; None when there is none, or it is but a click."""
        span = self._take(max(len(self.frames) - max(self.pause - self.pad, 0), 0))
        self.lead.extend(self.frames)
        self.frames, self.levels, self.loud, self.pause = [], [], [], 0
        return span

    def _take(self, n_frames: int) -> Span | None:
        """Cut off the first frames of the open span; the others stay open."""
        first = self.n_seen - len(self.frames)
        taken, sure = self.frames[:n_frames], [rated == 2 for rated in self.loud[:n_frames]]
        self.frames = self.frames[n_frames:]
        self.levels = self.levels[n_frames:]
        self.loud = self.loud[n_frames:]
        self.pause = min(self.pause, len(self.frames))
        if sum(map(all, zip(sure, sure[1:], sure[2:], strict=False))) < _MIN_SURE:
            return None
        return Span(start_s=first * self.frame / SAMPLE_RATE_HZ, samples=np.concatenate(taken))


def _best_cut(levels: Sequence[float], loud: Sequence[int]) -> int:
    """Where to cut a span that is too long: a frame number in its second half."""
    start, best = len(levels) // 2, (0, 0)  # length and end of the longest pause
    run = 0
    for number in range(start, len(levels)):
        run = 0 if loud[number] else run + 1
        best = max(best, (run, number))
    if best[0]:
        return best[1] - best[0] // 2 + 1
    return min(range(start, len(levels)), key=lambda number: levels[number])
