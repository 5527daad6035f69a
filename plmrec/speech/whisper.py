"""Whisper models of the transformers library: any local folder or hub name."""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from pydantic import Field

from plmrec.digests import digest_json
from plmrec.errors import BackendUnavailableError
from plmrec.params import Section
from plmrec.speech._model_files import file_hashes, find_model, read_json
from plmrec.speech._pauses import Span, cut_at_pauses
from plmrec.speech.base import SAMPLE_RATE_HZ, Samples
from plmrec.types import Segment

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_REVISION: Final = 1  # raise it when the code below gives another text for the same sound
_WINDOW_S: Final = 29.0  # Whisper hears 30 s at a time
_MIN_SPAN_S: Final = 20.0  # a window costs the same, however little is in it
_LONG_PAUSE_S: Final = 4.0
_TIME_STEP_S: Final = 0.02  # what one time stamp token counts
_SETTINGS: Final = ("language", "dtype", "min_logprob", "max_compression")


class Options(Section):
    """Options of the backend ``whisper``."""

    model: str = Field(
        default="openai/whisper-base", min_length=1, description="a local folder or a hub name"
    )
    revision: str | None = Field(
        default=None, description="of a hub name: a commit, so that it cannot move"
    )
    language: str | None = Field(
        default=None, description="code of the language spoken; unset: heard at an item's start"
    )
    batch_size: int = Field(default=8, ge=1, description="windows of 30 s per forward pass")
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N")
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    min_logprob: float = Field(
        default=-1.0, le=0, description="windows with a lower mean log probability are dropped"
    )
    max_compression: float = Field(
        default=2.4,
        gt=1,
        description="windows whose text zlib shrinks more are dropped: words repeated in a loop",
    )


class _Heard(NamedTuple):
    tokens: list[int]
    logprobs: list[float]


class Whisper:
    """Recognises spans cut at pauses, several at once, greedily and with time stamps.

    Spans fit Whisper's window, so nothing is carried from one to the next. A span whose text
    looks made up, by the measures of the paper, is dropped instead of being decoded again at
    random.

    Source: Radford et al., 2022, "Robust Speech Recognition via Large-Scale Weak Supervision",
    section 4.5 for the thresholds.
    """

    name = "whisper"
    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, options: Options) -> None:
        self._options = options

    @cached_property
    def version(self) -> str:
        """Name of the model, and digest of its files and of the settings that change a text."""
        settings = {name: getattr(self._options, name) for name in _SETTINGS}
        identity = {"revision": _REVISION, "settings": settings, "files": file_hashes(self._folder)}
        model = Path(self._options.model).name or "model"
        return f"{model}-{digest_json(identity)[:12]}"

    @cached_property
    def language(self) -> str | None:
        """See SpeechRecogniser: the one set, English for an English-only model, else None."""
        is_multilingual = read_json(self._folder, "generation_config.json").get("is_multilingual")
        if is_multilingual is not False:
            return self._options.language
        if self._options.language not in {None, "en"}:
            raise BackendUnavailableError(
                f"whisper: expected language en for the English-only model in {self._folder}, "
                f"got {self._options.language!r}",
                hint="Name a multilingual model",
            )
        return "en"

    def transcribe(self, chunks: Iterable[Samples]) -> Iterator[Segment]:
        """See SpeechRecogniser.transcribe; confidence is exp of the mean log probability."""
        spoken: str | None = None
        spans = cut_at_pauses(
            chunks, max_s=_WINDOW_S, min_s=_MIN_SPAN_S, long_pause_s=_LONG_PAUSE_S
        )
        while batch := list(islice(spans, self._options.batch_size)):
            features = self._features(batch)
            spoken = spoken or self._spoken_language(features["input_features"])
            for span, heard in zip(batch, self._generate(features, spoken), strict=True):
                if self._is_credible(heard):
                    yield from self._segments(span, heard)

    def _features(self, spans: Sequence[Span]) -> dict[str, torch.Tensor]:
        """Log-mel spectra ``(n, n_mels, 3000)`` and their masks ``(n, 3000)``."""
        features = self._extractor(
            [span.samples for span in spans],
            sampling_rate=SAMPLE_RATE_HZ,
            return_tensors="pt",
            return_attention_mask=True,
        )
        model = self._model
        return {
            "input_features": features["input_features"].to(model.device, model.dtype),
            "attention_mask": features["attention_mask"].to(model.device),
        }

    def _spoken_language(self, features: torch.Tensor) -> str | None:
        """Language token of an item, from its first span; None when there is no choice."""
        if self.language is not None or not hasattr(self._model.generation_config, "lang_to_id"):
            return self.language
        token = self._model.detect_language(input_features=features[:1])[0]
        names = self._model.generation_config.lang_to_id.items()
        return next(str(name) for name, number in names if number == int(token))

    def _generate(self, features: dict[str, torch.Tensor], spoken: str | None) -> list[_Heard]:
        import torch

        config = self._model.generation_config
        is_multilingual = bool(getattr(config, "is_multilingual", False))
        chosen = {"language": spoken, "task": "transcribe"} if is_multilingual and spoken else {}
        output = self._model.generate(
            **features,
            **chosen,
            return_timestamps=self._first_time is not None,
            force_unique_generate_call=True,
            return_dict_in_generate=True,
            output_scores=True,
            do_sample=False,
            num_beams=1,
            temperature=0.0,
        )
        scores = torch.stack(output.scores, dim=1).float()  # (n, n_tokens, n_vocabulary)
        tokens = output.sequences[:, -scores.shape[1] :]
        logprobs = scores.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
        return [
            _up_to_end(*pair, end=config.eos_token_id)
            for pair in zip(tokens.tolist(), logprobs.tolist(), strict=True)
        ]

    def _is_credible(self, heard: _Heard) -> bool:
        text = self._text(heard.tokens).encode()
        if not text.strip():
            return False
        is_loop = len(text) / len(zlib.compress(text)) > self._options.max_compression
        return not is_loop and _mean(heard.logprobs) >= self._options.min_logprob

    def _segments(self, span: Span, heard: _Heard) -> Iterator[Segment]:
        """Cut the tokens of a span at their time stamps."""
        length_s = span.end_s - span.start_s
        at_s, words, logprobs = 0.0, list[int](), list[float]()
        ends = [*zip(heard.tokens, heard.logprobs, strict=True), (None, 0.0)]
        for token, logprob in ends:
            is_time = token is not None and self._is_time(token)
            if token is not None and not is_time:
                words.append(token)
                logprobs.append(logprob)
                continue
            until_s = length_s if token is None else self._time(token, length_s)
            if at_s < length_s and (text := self._text(words)):  # after the end nothing is said
                yield Segment(
                    start_s=round(span.start_s + at_s, 3),
                    end_s=round(span.start_s + max(until_s, at_s), 3),
                    text=text,
                    confidence=round(math.exp(_mean(logprobs)), 4),
                )
            at_s, words, logprobs = max(at_s, until_s), [], []

    def _is_time(self, token: int) -> bool:
        return self._first_time is not None and token >= self._first_time

    def _time(self, token: int, length_s: float) -> float:
        return min((token - (self._first_time or 0)) * _TIME_STEP_S, length_s)

    def _text(self, tokens: Sequence[int]) -> str:
        words = [token for token in tokens if not self._is_time(token)]
        return " ".join(self._tokenizer.decode(words, skip_special_tokens=True).split())

    @cached_property
    def _folder(self) -> Path:
        return find_model(self._options.model, self._options.revision)

    @cached_property
    def _first_time(self) -> int | None:
        """Token of the time 0.00; None for a model that was not taught to say times."""
        last = getattr(self._model.generation_config, "no_timestamps_token_id", None)
        return None if last is None else int(last) + 1

    @cached_property
    def _extractor(self) -> Any:
        from transformers import WhisperFeatureExtractor

        return WhisperFeatureExtractor.from_pretrained(str(self._folder), local_files_only=True)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import WhisperTokenizer

        return WhisperTokenizer.from_pretrained(str(self._folder), local_files_only=True)

    @cached_property
    def _model(self) -> Any:
        model = _load_weights(self._folder, self._options)
        log.info("loaded whisper %s on %s", self.version, model.device)
        return model


def _load_weights(folder: Path, options: Options) -> Any:
    import torch
    from transformers import WhisperForConditionalGeneration
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model, info = WhisperForConditionalGeneration.from_pretrained(
            str(folder),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=getattr(torch, options.dtype),
            output_loading_info=True,
        )
    except (OSError, ValueError) as err:
        raise BackendUnavailableError(
            f"whisper: cannot load {folder}: {err}", hint="Name a Whisper model"
        ) from err
    if missing := sorted(key for key in info["missing_keys"] if key != "proj_out.weight"):
        raise BackendUnavailableError(
            f"whisper: expected all weights in {folder}, missing {missing[:5]}",
            hint="Download the model again",
        )
    return model.to(device).eval()


def _up_to_end(tokens: list[int], logprobs: list[float], *, end: int) -> _Heard:
    size = tokens.index(end) if end in tokens else len(tokens)
    return _Heard(tokens[:size], logprobs[:size])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def build(options: Options) -> Whisper:
    """Build the recogniser; files are looked up and weights are loaded when they are needed."""
    return Whisper(options)
