"""No recogniser at all: words that follow from how loud the sound is, for tests without weights."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import numpy as np
from pydantic import Field

from plmrec.params import Section
from plmrec.speech.base import SAMPLE_RATE_HZ, Heard, Span, Spoken, Window, Word
from plmrec.types import Segment

_WORDS: Final = ("whisper", "murmur", "talk", "speech", "call", "shout")  # quiet to loud
_CONFIDENCE: Final = 0.5
_SILENCE: Final = 1e-3  # root mean square; less than this is silence


class Options(Section):
    """Options of the backend ``scripted``."""

    segment_s: float = Field(default=5.0, gt=0, le=60, description="length of a segment, seconds")
    delay_s: float = Field(
        default=0.0, ge=0, description="waiting time per span, for tests that interrupt, seconds"
    )
    hears_all: bool = Field(
        default=True, description="take all sound for speech, so that no detector is needed"
    )
    batch_size: int = Field(default=1, ge=1, description="spans taken at once")
    is_isolated: bool = Field(default=False, description="run in a process of its own")


class Scripted:
    """Says one word for each second of sound, chosen by its loudness."""

    name = "scripted"
    language = None
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, options: Options) -> None:
        self._options = options
        self.version = f"1-{options.segment_s:g}s"
        self.window = Window(max_s=options.segment_s, hears_all=options.hears_all)
        self.batch_size = options.batch_size
        self.is_isolated = options.is_isolated

    def spoken_language(self, span: Span, said: str | None) -> Spoken:
        """See SpeechRecogniser.spoken_language; it believes what it is told."""
        del span
        return Spoken(said)

    def recognise(self, spans: Sequence[Span], languages: Sequence[str | None]) -> list[Heard]:
        """See SpeechRecogniser.recognise."""
        del languages
        time.sleep(self._options.delay_s * len(spans))
        return [_say(span) for span in spans]


def _say(span: Span) -> Heard:
    words = []
    for first in range(0, span.samples.size, SAMPLE_RATE_HZ):
        second = span.samples[first : first + SAMPLE_RATE_HZ].astype(np.float64)
        loudness = float(np.sqrt(np.mean(second**2)))
        if loudness >= _SILENCE:
            step = int((loudness / 0.5) ** 0.5 * len(_WORDS))
            start_s = span.start_s + first / SAMPLE_RATE_HZ
            end_s = start_s + second.size / SAMPLE_RATE_HZ
            words.append(Word(start_s, end_s, _WORDS[min(step, len(_WORDS) - 1)], _CONFIDENCE))
    if not words:
        return Heard()
    text = " ".join(word.text for word in words)
    segment = Segment(start_s=span.start_s, end_s=span.end_s, text=text, confidence=_CONFIDENCE)
    return Heard((segment,), tuple(words))


def build(options: Options) -> Scripted:
    """Build the recogniser."""
    return Scripted(options)
