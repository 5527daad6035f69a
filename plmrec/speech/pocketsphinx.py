"""PocketSphinx with its stock US-English model: small, on the CPU, no download."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from importlib import metadata
from typing import Any, Final

import numpy as np
from pydantic import Field

from plmrec.digests import digest_json
from plmrec.errors import DataContractError
from plmrec.params import Fraction, Section
from plmrec.speech.base import SAMPLE_RATE_HZ, Heard, Span, Spoken, Window, Word
from plmrec.types import Segment

_REVISION: Final = 2  # raise it when the code below gives another text for the same sound
_FRAME_S: Final = 0.01  # PocketSphinx counts in frames of 10 ms
_PAD_S: Final = 0.15  # silence put around a span, so that its first and last words are whole
_MAX_WORD_S: Final = 1.5  # what lasts longer is music, not a word
_MAX_SEGMENT_S: Final = 7.0  # longer segments are cut between words
_FEW_WORDS: Final = 2  # a word or two alone in a stretch of sound are mostly music or noise
_CONFIDENCE_OF_FEW: Final = 0.9  # so they must be heard clearly
_PAUSE_S: Final = 0.5  # a pause between words that ends a segment


class Options(Section):
    """Options of the backend ``pocketsphinx``."""

    language_weight: float = Field(
        default=6.5, gt=0, le=50, description="weight of the language model against the sound"
    )
    min_confidence: Fraction = Field(
        default=0.15,
        description="segments with a lower confidence are dropped: music and noise, mostly",
    )
    min_span_s: float = Field(
        default=10.0, ge=0, description="spans are joined over short pauses up to here, seconds"
    )
    max_span_s: float = Field(
        default=25.0, gt=1, le=60, description="longest stretch recognised at once, seconds"
    )


class PocketSphinx:
    """Recognises spans one by one, each normalised as a whole and by itself.

    Cepstral mean normalisation over the whole span, instead of the running mean of live
    decoding, lowers the word error rate on read sentences from 0.41 to 0.27, and leaves nothing
    of one span in the decoder when the next one comes.
    """

    name = "pocketsphinx"
    language = "en"
    sample_rate_hz = SAMPLE_RATE_HZ
    batch_size = 1
    is_isolated = True

    def __init__(self, options: Options) -> None:
        self._options = options
        settings = digest_json({"options": options.model_dump(), "revision": _REVISION})
        self.version = f"{metadata.version('pocketsphinx')}-{settings[:8]}"

        self.window = Window(max_s=options.max_span_s, min_s=options.min_span_s)

    def spoken_language(self, span: Span, said: str | None) -> Spoken:
        """See SpeechRecogniser.spoken_language; it knows nothing but English."""
        del span, said
        return Spoken(self.language)

    def recognise(self, spans: Sequence[Span], languages: Sequence[str | None]) -> list[Heard]:
        """See SpeechRecogniser.recognise; confidence is the mean word posterior (geometric)."""
        del languages
        return [self._hear(span) for span in spans]

    def _hear(self, span: Span) -> Heard:
        kept = [
            (words, confidence)
            for words in _group(self._recognise(span))
            if (confidence := _confidence(words)) >= self._least(words)
        ]
        segments = (
            Segment(
                start_s=words[0].start_s,
                end_s=words[-1].end_s,
                text=" ".join(word.text for word in words),
                confidence=round(min(confidence, 1.0), 4),
            )
            for words, confidence in kept
        )
        return Heard(tuple(segments), tuple(word for words, _ in kept for word in words))

    def _least(self, words: Sequence[Word]) -> float:
        few = len(words) <= _FEW_WORDS
        return _CONFIDENCE_OF_FEW if few else self._options.min_confidence

    def _recognise(self, span: Span) -> list[Word]:
        """Words of one span, with times in the item."""
        decoder = self._decoder
        padded = np.pad(span.samples, round(_PAD_S * SAMPLE_RATE_HZ))
        pcm = (np.clip(padded, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        first_s = span.start_s - _PAD_S
        try:
            decoder.reinit_feat()  # forgets the noise of what came before
            decoder.start_utt()
            decoder.process_raw(pcm, no_search=False, full_utt=True)
            decoder.end_utt()
        except RuntimeError as err:
            del self.__dict__["_decoder"]  # its state is unknown
            raise DataContractError(f"pocketsphinx: gave up at {span.start_s:.1f} s") from err
        if decoder.hyp() is None:
            return []
        words = (
            Word(
                text=segment.word.split("(")[0],  # "to(3)" is its third pronunciation
                start_s=round(max(first_s + segment.start_frame * _FRAME_S, span.start_s), 3),
                end_s=round(min(first_s + (segment.end_frame + 1) * _FRAME_S, span.end_s), 3),
                confidence=min(float(segment.prob), 1.0),
            )
            for segment in decoder.seg()
            if not segment.word.startswith(("<", "["))  # silence, breath, noise
        )
        return [word for word in words if 0.0 < word.end_s - word.start_s <= _MAX_WORD_S]

    @cached_property
    def _decoder(self) -> Any:
        import pocketsphinx

        return pocketsphinx.Decoder(
            pocketsphinx.Config(loglevel="FATAL", cmn="batch", lw=self._options.language_weight)
        )


def _group(words: Iterable[Word]) -> Iterator[list[Word]]:
    """Cut words into segments: at pauses, and where a segment grows long."""
    group: list[Word] = []
    for word in words:
        if group and (
            word.start_s - group[-1].end_s >= _PAUSE_S
            or word.end_s - group[0].start_s > _MAX_SEGMENT_S
        ):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _confidence(words: Sequence[Word]) -> float:
    return math.exp(sum(math.log(max(word.confidence, 1e-9)) for word in words) / len(words))


def build(options: Options) -> PocketSphinx:
    """Build the recogniser; the model is loaded at the first sound."""
    return PocketSphinx(options)
