"""Spans of sound, cut at pauses: bounded input for a recogniser, and none of the silence."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from plmrec.speech.base import SAMPLE_RATE_HZ, Samples

_FRAME: Final = 320  # samples, 20 ms
_FRAMES_PER_S: Final = SAMPLE_RATE_HZ // _FRAME
_FLOOR_DB: Final = -62.0  # below this a room is silent, whatever it sounds like
_MARGIN_DB: Final = 8.0  # speech stands out from the background by at least this much
_RISE_DB: Final = 1.5 / _FRAMES_PER_S  # how fast the background may grow: 1.5 dB per second
_PAD: Final = 12  # frames of silence kept on either side of a span: 0.24 s
_SHORT_PAUSE: Final = 20  # frames, 0.4 s: ends a span that is long enough
_MIN_LOUD: Final = 3  # frames that end 60 ms of sound: with fewer there are but clicks


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of sound that holds more than silence.

    Attributes:
        start_s: Where it starts, seconds from the first sample of the item.
        samples: float32 ``(n,)`` at ``SAMPLE_RATE_HZ``.
    """

    start_s: float
    samples: Samples

    @property
    def end_s(self) -> float:
        """Where it ends, seconds from the first sample of the item."""
        return self.start_s + self.samples.size / SAMPLE_RATE_HZ


def cut_at_pauses(
    chunks: Iterable[Samples], *, max_s: float, min_s: float, long_pause_s: float = 1.2
) -> Iterator[Span]:
    """Cut sound into spans at its pauses and leave out the silence between them.

    A frame of 20 ms is loud when it stands 8 dB out of the background, which is followed by its
    minima and may rise by 1.5 dB per second: steady noise and hum are background after a while.
    A span ends at a long pause, or at one of 0.4 s once it is ``min_s`` long; one that reaches
    ``max_s`` is cut at the longest pause in its second half, else at its quietest frame there.

    Args:
        chunks: Consecutive mono sound at ``SAMPLE_RATE_HZ``, each float32 ``(n,)``; where the
            sound is cut into chunks makes no difference.
        max_s: Longest span, seconds; bounds the memory.
        min_s: Shorter spans are joined over short pauses, because recognisers like context.
        long_pause_s: A pause that ends any span, seconds.
    """
    cutter = _Cutter(
        max_frames=int(max_s * _FRAMES_PER_S),
        min_frames=int(min_s * _FRAMES_PER_S),
        long_pause=int(long_pause_s * _FRAMES_PER_S),
    )
    background: float | None = None
    for frames in _seconds(chunks):
        power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / _FRAME
        levels = (10.0 * np.log10(power + 1e-12)).tolist()
        if background is None:
            background = min(levels)
        for frame, level in zip(frames, levels, strict=True):
            background = max(min(level, background + _RISE_DB), _FLOOR_DB)
            if (span := cutter.add(frame, level, level > background + _MARGIN_DB)) is not None:
                yield span
    if (span := cutter.close()) is not None:
        yield span


def _seconds(chunks: Iterable[Samples]) -> Iterator[Samples]:
    """Regroup sound into frames, one second ``(50, _FRAME)`` at a time; zeros fill the last."""
    size = _FRAME * _FRAMES_PER_S
    rest = np.zeros(0, dtype=np.float32)
    for chunk in chunks:
        rest = np.concatenate([rest, chunk])
        while rest.size >= size:
            yield rest[:size].reshape(-1, _FRAME)
            rest = rest[size:]
    if rest.size:
        yield np.pad(rest, (0, -rest.size % _FRAME)).reshape(-1, _FRAME)


@dataclass(slots=True, kw_only=True)
class _Cutter:
    """Collects frames into spans; at most ``max_frames`` are held."""

    max_frames: int
    min_frames: int
    long_pause: int
    n_seen: int = 0
    pause: int = 0  # quiet frames at the end of the open span
    frames: list[Samples] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    loud: list[bool] = field(default_factory=list)
    lead: deque[Samples] = field(default_factory=lambda: deque(maxlen=_PAD))

    def add(self, frame: Samples, level: float, is_loud: bool) -> Span | None:
        """Take the next frame; return the span that it completes, if any."""
        self.n_seen += 1
        if not self.frames:
            if not is_loud:
                self.lead.append(frame)
                return None
            self.frames = list(self.lead)
            self.levels = [_FLOOR_DB] * len(self.frames)
            self.loud = [False] * len(self.frames)
            self.lead.clear()
        self.frames.append(frame)
        self.levels.append(level)
        self.loud.append(is_loud)
        self.pause = 0 if is_loud else self.pause + 1
        needed = _SHORT_PAUSE if len(self.frames) >= self.min_frames else self.long_pause
        if self.pause >= needed:
            return self.close()
        if len(self.frames) >= self.max_frames:
            return self._take(_best_cut(self.levels, self.loud))
        return None

    def close(self) -> Span | None:
        """End the open span in its pause; None when there is none, or it is but a click."""
        span = self._take(max(len(self.frames) - max(self.pause - _PAD, 0), 0))
        self.lead.extend(self.frames)
        self.frames, self.levels, self.loud, self.pause = [], [], [], 0
        return span

    def _take(self, n_frames: int) -> Span | None:
        """Cut off the first frames of the open span; the others stay open."""
        first = self.n_seen - len(self.frames)
        taken, loud = self.frames[:n_frames], self.loud[:n_frames]
        self.frames = self.frames[n_frames:]
        self.levels = self.levels[n_frames:]
        self.loud = self.loud[n_frames:]
        self.pause = min(self.pause, len(self.frames))
        if sum(map(all, zip(loud, loud[1:], loud[2:], strict=False))) < _MIN_LOUD:
            return None
        return Span(start_s=first / _FRAMES_PER_S, samples=np.concatenate(taken))


def _best_cut(levels: Sequence[float], loud: Sequence[bool]) -> int:
    """Where to cut a span that is too long: a frame number in its second half."""
    start, best = len(levels) // 2, (0, 0)  # length and end of the longest pause
    run = 0
    for number in range(start, len(levels)):
        run = 0 if loud[number] else run + 1
        best = max(best, (run, number))
    if best[0]:
        return best[1] - best[0] // 2 + 1
    return min(range(start, len(levels)), key=lambda number: levels[number])
