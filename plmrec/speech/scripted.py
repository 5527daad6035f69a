"""No recogniser at all: words that follow from how loud the sound is, for tests without weights."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from pydantic import Field

from plmrec.params import Section
from plmrec.speech.base import SAMPLE_RATE_HZ, Samples
from plmrec.types import Segment

_WORDS: Final = ("whisper", "murmur", "talk", "speech", "call", "shout")  # quiet to loud
_SILENCE: Final = 1e-3  # root mean square; less than this is silence


class Options(Section):
    """Options of the backend ``scripted``."""

    segment_s: float = Field(default=5.0, gt=0, le=60, description="length of a segment, seconds")
    delay_s: float = Field(
        default=0.0, ge=0, description="waiting time per item, for tests that interrupt, seconds"
    )


class Scripted:
    """Says one word for each second of sound, chosen by its loudness."""

    name = "scripted"
    language = None
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, options: Options) -> None:
        self._options = options
        self.version = f"1-{options.segment_s:g}s"

    def transcribe(self, chunks: Iterable[Samples]) -> Iterator[Segment]:
        """See SpeechRecogniser.transcribe."""
        time.sleep(self._options.delay_s)
        size = max(int(self._options.segment_s * SAMPLE_RATE_HZ), 1)
        start, rest = 0, np.zeros(0, dtype=np.float32)
        for chunk in chunks:
            rest = np.concatenate([rest, chunk])
            while rest.size >= size:
                yield from _say(rest[:size], start)
                start, rest = start + size, rest[size:]
        yield from _say(rest, start)


def _say(samples: Samples, start: int) -> Iterator[Segment]:
    words = []
    for first in range(0, samples.size, SAMPLE_RATE_HZ):
        second = samples[first : first + SAMPLE_RATE_HZ].astype(np.float64)
        loudness = float(np.sqrt(np.mean(second**2)))
        if loudness >= _SILENCE:
            step = int((loudness / 0.5) ** 0.5 * len(_WORDS))
            words.append(_WORDS[min(step, len(_WORDS) - 1)])
    if words:
        yield Segment(
            start_s=start / SAMPLE_RATE_HZ,
            end_s=(start + samples.size) / SAMPLE_RATE_HZ,
            text=" ".join(words),
            confidence=0.5,
        )


def build(options: Options) -> Scripted:
    """Build the recogniser."""
    return Scripted(options)
