"""Params of hearing media."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from plmrec.params.base import BackendParams, Fraction, Section


class SpeechQualityParams(Section):
    """What recognised speech must be like; what is not is decoded again, then refused."""

    min_words: int = Field(
        default=30, ge=1, description="words from which on a transcript is judged at all"
    )
    min_confidence: Fraction = Field(
        default=0.2, description="mean confidence of the segments, weighted by their length"
    )
    max_words_per_s: float = Field(
        default=7.0, gt=0, description="words per second of speech; nobody talks faster"
    )
    max_repetition: Fraction = Field(
        default=0.5, description="share of word groups of four that were said shortly before"
    )
    max_compression: float = Field(
        default=2.8, gt=1, description="how many times smaller zlib makes the text, by pages"
    )
    min_language_confidence: Fraction = Field(
        default=0.2, description="probability of the language, where the recogniser tells one"
    )


class RecogniserParams(BackendParams):
    """Which recogniser hears; ``options`` are checked by the backend."""

    backend: str = Field(default="pocketsphinx", description="a file of plmrec/speech")
    safer_options: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="laid over options to decode again what is not good enough; empty: refuse it",
    )


class SpeechOverride(RecogniserParams):
    """Another recogniser for some items; those without a language match no language."""

    language: str | None = Field(default=None, description="language of the items; unset: any")
    kind: Literal["video", "audio", "ad", "product"] | None = Field(
        default=None, description="kind of the items; unset: any"
    )


class SpeechParams(RecogniserParams):
    """How speech becomes text."""

    overrides: tuple[SpeechOverride, ...] = Field(
        default=(),
        description="recognisers by language and kind of an item; the first that fits is taken",
    )
    vad: Literal["silero", "energy"] = Field(
        default="silero",
        description="what finds speech: a network, or whatever is louder than the background",
    )
    vad_threshold: Fraction = Field(
        default=0.5, description="probability from which on silero takes sound for speech"
    )
    max_duration_s: float = Field(
        default=6 * 3600.0, gt=0, description="longer media are refused, seconds"
    )
    max_worker_mb: int = Field(
        default=4096,
        ge=0,
        description="resident memory at which the process that hears is replaced, MB; 0: hear in "
        "the process of the task",
    )
    quality: SpeechQualityParams = SpeechQualityParams()
    golden: str | None = Field(
        default=None,
        description="table of recordings and their words, relative to params.yaml; a recogniser "
        "that does worse on it than the last one accepted is refused",
    )
    max_wer_gain: Fraction = Field(
        default=0.02, description="by how much its word error rate may be higher, absolute"
    )
