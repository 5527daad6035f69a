"""Whisper models on CTranslate2 by the package faster-whisper: the same words in less time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from importlib import metadata, util
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import Field

from plmrec.digests import digest_json
from plmrec.errors import BackendUnavailableError, DataContractError
from plmrec.model_files import file_hashes, find_folder, read_json
from plmrec.speech._whisper_family import WINDOW, WhisperOptions, is_credible, only_language
from plmrec.speech.base import SAMPLE_RATE_HZ, Heard, Span, Spoken, Word
from plmrec.types import Segment

_REVISION: Final = 1  # raise it when the code below gives another text for the same sound
_FILES: Final = (
    "model.bin",
    "config.json",
    "tokenizer.json",
    "vocabulary.*",
    "preprocessor_config.json",
)
_SETTINGS: Final = (
    "language",
    "compute_type",
    "beam_size",
    "temperature",
    "no_repeat_ngram_size",
    "max_tokens",
    "words",
    "min_logprob",
    "max_compression",
)


class Options(WhisperOptions):
    """Options of the backend ``faster_whisper``."""

    model: str = Field(
        default="Systran/faster-whisper-base",
        min_length=1,
        description="a local folder or a hub name, converted for CTranslate2",
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = Field(
        default="default", description="float32, int8, float16 and so on; default: as saved"
    )
    threads: int = Field(default=0, ge=0, description="on the CPU; 0: as OMP_NUM_THREADS says")
    beam_size: int = Field(default=1, ge=1, description="texts followed at once")
    temperature: float = Field(default=0.0, ge=0, le=1, description="0: the likeliest words")
    max_tokens: int = Field(default=224, ge=1, le=400, description="longest text of a span, tokens")
    words: bool = Field(default=True, description="time single words")


class FasterWhisper:
    """Recognises spans in batches; each stands for itself, so nothing is carried on.

    Source: Radford et al., 2022, "Robust Speech Recognition via Large-Scale Weak Supervision";
    https://github.com/SYSTRAN/faster-whisper.
    """

    name = "faster_whisper"
    sample_rate_hz = SAMPLE_RATE_HZ
    window = WINDOW
    is_isolated = True

    def __init__(self, options: Options) -> None:
        self._options = options
        self.batch_size = options.batch_size

    @cached_property
    def version(self) -> str:
        """Name of the model, and digest of library, files, settings and number formats."""
        options = self._options
        identity = {
            "revision": _REVISION,
            "libraries": [metadata.version(name) for name in ("faster-whisper", "ctranslate2")],
            "settings": {name: getattr(options, name) for name in _SETTINGS},
            # The library falls back to another type where the machine lacks the one asked for.
            "computes": _compute_types(options.device),
            "files": file_hashes(self._folder, _FILES),
        }
        return f"{Path(options.model).name or 'model'}-{digest_json(identity)[:12]}"

    @cached_property
    def language(self) -> str | None:
        """See SpeechRecogniser: the one set, English for an English-only model, else None."""
        languages = read_json("faster_whisper", self._folder / "config.json", dict).get("lang_ids")
        return only_language(
            self._options.language,
            is_english_only=languages is not None and len(languages) <= 1,
            who="faster_whisper",
            folder=self._folder,
        )

    def spoken_language(self, span: Span, said: str | None) -> Spoken:
        """See SpeechRecogniser.spoken_language."""
        if self.language is not None or not self._model.model.is_multilingual:
            return Spoken(self.language or "en")
        code = (said or "")[:2].lower()
        if code in self._languages:
            return Spoken(code)
        language, confidence, _ = self._model.detect_language(
            features=self._model.feature_extractor(span.samples)
        )
        return Spoken(str(language), round(float(confidence), 4))

    def recognise(self, spans: Sequence[Span], languages: Sequence[str | None]) -> list[Heard]:
        """See SpeechRecogniser.recognise; confidence is exp of the mean log probability."""
        found: dict[int, Heard] = {}
        numbers = sorted(range(len(spans)), key=lambda number: languages[number] or "")
        for language, same in groupby(numbers, key=lambda number: languages[number]):
            mine = list(same)
            for number, heard in zip(
                mine, self._hear([spans[each] for each in mine], language), strict=True
            ):
                found[number] = heard
        return [found[number] for number in range(len(spans))]

    def _hear(self, spans: Sequence[Span], language: str | None) -> Iterator[Heard]:
        """Hear spans of one language: laid end to end, each a clip of its own."""
        ends = np.cumsum([span.samples.size for span in spans]) / SAMPLE_RATE_HZ
        starts = [0.0, *ends[:-1].tolist()]
        options = self._options
        segments, _ = self._pipeline.transcribe(
            np.concatenate([span.samples for span in spans]),
            language=language or "en",
            beam_size=options.beam_size,
            temperature=options.temperature,
            no_repeat_ngram_size=options.no_repeat_ngram_size,
            max_new_tokens=options.max_tokens,
            without_timestamps=False,
            word_timestamps=options.words,
            vad_filter=False,
            batch_size=options.batch_size,
            clip_timestamps=[
                {"start": start, "end": end}
                for start, end in zip(starts, ends.tolist(), strict=True)
            ],
        )
        by_clip: list[list[Any]] = [[] for _ in spans]
        first = [round(start * 100) for start in starts]  # the library counts clips in 10 ms
        for segment in _patiently(segments, spans[0]):
            by_clip[max(n for n, at in enumerate(first) if at <= segment.seek + 1)].append(segment)
        for span, start, clip in zip(spans, starts, by_clip, strict=True):
            yield self._heard(span, start, clip)

    def _heard(self, span: Span, clip_start_s: float, segments: Sequence[Any]) -> Heard:
        """Move the segments of a clip to where they are in the item; leave out the incredible."""
        found: list[Segment] = []
        words: list[Word] = []
        at_s = span.start_s
        for segment in segments:
            text = " ".join(segment.text.split())
            if not is_credible(text, segment.avg_logprob, self._options):
                continue
            shift_s = span.start_s - clip_start_s
            start_s = min(max(float(segment.start) + shift_s, at_s), span.end_s)
            at_s = min(max(float(segment.end) + shift_s, start_s), span.end_s)
            confidence = round(min(math.exp(segment.avg_logprob), 1.0), 4)
            found.append(
                Segment(
                    start_s=round(start_s, 3),
                    end_s=round(at_s, 3),
                    text=text,
                    confidence=confidence,
                )
            )
            words += _words(segment, shift_s, start_s, at_s)
        return Heard(tuple(found), tuple(words))

    @cached_property
    def _folder(self) -> Path:
        return find_folder(
            "speech",
            self._options.model,
            self._options.revision,
            patterns=_FILES,
            needed=("model.bin", "config.json", "tokenizer.json"),
            hint="Convert a Whisper model with ct2-transformers-converter",
        )

    @cached_property
    def _languages(self) -> set[str]:
        tokens = self._model.hf_tokenizer.get_vocab()
        known = set(self._model.supported_languages)
        return {code for code in known if f"<|{code}|>" in tokens}

    @cached_property
    def _model(self) -> Any:
        from faster_whisper import WhisperModel

        try:
            return WhisperModel(
                str(self._folder),
                device=self._options.device,
                compute_type=self._options.compute_type,
                cpu_threads=self._options.threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as err:
            raise BackendUnavailableError(
                f"faster_whisper: cannot load {self._folder}: {err}",
                hint="Convert the model again, or choose another compute_type",
            ) from err

    @cached_property
    def _pipeline(self) -> Any:
        from faster_whisper import BatchedInferencePipeline

        return BatchedInferencePipeline(self._model)


def _compute_types(device: str) -> list[str]:
    """Number formats that the library computes with on this machine's device."""
    import ctranslate2

    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    return sorted(ctranslate2.get_supported_compute_types(device))


def _patiently(segments: Iterable[Any], span: Span) -> Iterator[Any]:
    """Segments as they are made, with the library's errors in our words."""
    try:
        yield from segments
    except RuntimeError as err:
        raise DataContractError(
            f"faster_whisper: gave up near {span.start_s:.1f} s: {err}"
        ) from err


def _words(segment: Any, shift_s: float, first_s: float, last_s: float) -> Iterator[Word]:
    for word in segment.words or ():
        if text := word.word.strip():
            start_s = min(max(float(word.start) + shift_s, first_s), last_s)
            end_s = min(max(float(word.end) + shift_s, start_s), last_s)
            confidence = round(min(max(float(word.probability), 0.0), 1.0), 4)
            yield Word(round(start_s, 3), round(end_s, 3), text, confidence)


def build(options: Options) -> FasterWhisper:
    """Build the recogniser; files are looked up and weights are loaded when they are needed.

    Raises:
        BackendUnavailableError: The package is not installed.
    """
    for package in ("faster_whisper", "ctranslate2"):
        if util.find_spec(package) is None:
            raise BackendUnavailableError(
                f"speech.faster_whisper: needs the package {package!r}, which is not installed",
                hint="Install it with: pip install plmrec[faster-whisper]",
            )
    return FasterWhisper(options)
