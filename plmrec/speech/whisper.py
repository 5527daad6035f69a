"""Whisper models of the transformers library: any local folder or hub name."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from pydantic import Field

from plmrec.devices import DtypeOption, Precision, choose_device, resolve_precision
from plmrec.digests import digest_json
from plmrec.errors import BackendUnavailableError
from plmrec.model_files import (
    TRANSFORMERS_FILES,
    file_hashes,
    find_folder,
    load_part,
    load_weights,
    read_json,
)
from plmrec.speech._whisper_family import WINDOW, WhisperOptions, is_credible, only_language
from plmrec.speech.base import SAMPLE_RATE_HZ, Heard, Span, Spoken, Word
from plmrec.types import Segment

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_REVISION: Final = 2  # raise it when the code below gives another text for the same sound
_TIME_STEP_S: Final = 0.02  # what one time stamp token counts
_IDENTITY: Final = (  # every file that can change a text
    *TRANSFORMERS_FILES,
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "normalizer.json",
)
_NEEDED: Final = ("config.json", "preprocessor_config.json", "*.safetensors")
_SETTINGS: Final = (
    "language",
    "num_beams",
    "no_repeat_ngram_size",
    "words",
    "min_logprob",
    "max_compression",
)


class Options(WhisperOptions):
    """Options of the backend ``whisper``."""

    model: str = Field(
        default="openai/whisper-base", min_length=1, description="a local folder or a hub name"
    )
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N")
    dtype: Literal[DtypeOption, "int8"] = Field(
        default="auto",
        description="of the weights; auto: bfloat16 where processor or GPU have instructions for "
        "it, float16 on other GPUs, else float32; texts of two precisions are of two versions, so "
        "name it where machines differ; int8: linear layers quantised as they run, on the CPU",
    )
    num_beams: int = Field(default=1, ge=1, le=16, description="texts followed at once")
    words: bool = Field(
        default=False, description="time single words, by the model's attention to the sound"
    )


class _Heard(NamedTuple):
    tokens: list[int]
    logprobs: list[float]
    times: list[float]  # of each token, seconds from the start of the span; empty without words


class Whisper:
    """Recognises several spans at once, greedily or with beams, and with time stamps.

    Spans fit Whisper's window, so nothing is carried from one to the next. A span whose text
    looks made up, by the measures of the paper, is dropped instead of being decoded again at
    random.

    Source: Radford et al., 2022, "Robust Speech Recognition via Large-Scale Weak Supervision",
    section 4.5 for the thresholds.
    """

    name = "whisper"
    sample_rate_hz = SAMPLE_RATE_HZ
    window = WINDOW
    is_isolated = True

    def __init__(self, options: Options) -> None:
        self._options = options
        self.batch_size = options.batch_size

    @cached_property
    def version(self) -> str:
        """Name of the model, and digest of its files and of the settings that change a text."""
        settings = {name: getattr(self._options, name) for name in _SETTINGS}
        settings["dtype"] = self.precision
        files = file_hashes(self._folder, _IDENTITY)
        identity = {"revision": _REVISION, "settings": settings, "files": files}
        model = Path(self._options.model).name or "model"
        return f"{model}-{digest_json(identity)[:12]}"

    @cached_property
    def precision(self) -> Precision | Literal["int8"]:
        """Number format of the weights; ``auto`` is resolved by what this machine has.

        Raises:
            BackendUnavailableError: int8 is asked for on a GPU.
        """
        dtype = self._options.dtype
        if dtype != "int8":
            return resolve_precision(dtype, self._options.device)
        if self._device != "cpu":
            raise BackendUnavailableError(
                f"whisper: expected dtype int8 on the CPU, got device {self._device}",
                hint="Set dtype to auto, or device to cpu",
            )
        return dtype

    @cached_property
    def language(self) -> str | None:
        """See SpeechRecogniser: the one set, English for an English-only model, else None."""
        config = read_json("whisper", self._folder / "generation_config.json", dict)
        return only_language(
            self._options.language,
            is_english_only=config.get("is_multilingual") is False,
            who="whisper",
            folder=self._folder,
        )

    def spoken_language(self, span: Span, said: str | None) -> Spoken:
        """See SpeechRecogniser.spoken_language; the probability is among the model's languages."""
        tokens = getattr(self._model.generation_config, "lang_to_id", None)
        if self.language is not None or not tokens:
            return Spoken(self.language)
        code = (said or "")[:2].lower()
        if f"<|{code}|>" in tokens:
            return Spoken(code)
        import torch

        names, numbers = zip(*sorted(tokens.items()), strict=True)
        start = torch.tensor([[self._model.generation_config.decoder_start_token_id]])
        with torch.inference_mode():
            logits = self._model(
                input_features=self._features([span])["input_features"],
                decoder_input_ids=start.to(self._device),
            ).logits[0, -1, list(numbers)]
        probabilities = logits.float().softmax(-1)
        best = int(probabilities.argmax())
        return Spoken(str(names[best])[2:-2], round(float(probabilities[best]), 4))

    def recognise(self, spans: Sequence[Span], languages: Sequence[str | None]) -> list[Heard]:
        """See SpeechRecogniser.recognise; confidence is exp of the mean log probability."""
        if not spans:
            return []
        found = self._generate(self._features(spans), languages)
        return [
            self._place(span, heard) if self._is_credible(heard) else Heard()
            for span, heard in zip(spans, found, strict=True)
        ]

    def _features(self, spans: Sequence[Span]) -> dict[str, torch.Tensor]:
        """Log-mel spectra ``(n, n_mels, 3000)`` and their masks ``(n, 3000)``."""
        features = self._extractor(
            [span.samples for span in spans],
            sampling_rate=SAMPLE_RATE_HZ,
            return_tensors="pt",
            return_attention_mask=True,
        )
        return {
            "input_features": features["input_features"].to(self._device, self._model.dtype),
            "attention_mask": features["attention_mask"].to(self._device),
        }

    def _generate(
        self, features: dict[str, torch.Tensor], languages: Sequence[str | None]
    ) -> list[_Heard]:
        import torch

        config, options = self._model.generation_config, self._options
        is_multilingual = bool(getattr(config, "is_multilingual", False))
        chosen: dict[str, Any] = {}
        if is_multilingual and all(languages):
            chosen = {"language": list(languages), "task": "transcribe"}
        has_words = options.words and getattr(config, "alignment_heads", None) is not None
        with torch.inference_mode():
            output = self._model.generate(
                **features,
                **chosen,
                return_timestamps=self._first_time is not None,
                return_token_timestamps=has_words,
                force_unique_generate_call=True,
                return_dict_in_generate=True,
                output_scores=True,
                do_sample=False,
                num_beams=options.num_beams,
                no_repeat_ngram_size=options.no_repeat_ngram_size,
                temperature=0.0,
            )
        tokens, logprobs = self._scored(output)
        times = output["token_timestamps"][:, -tokens.shape[1] :].tolist() if has_words else None
        return [
            _up_to_end(row, logprobs[number].tolist(), times[number] if times else [], self._end)
            for number, row in enumerate(tokens.tolist())
        ]

    def _scored(self, output: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens ``(n, n_tokens)`` that were said, and their log probabilities."""
        import torch

        # With beams, the library leaves the scores of the best one: (n, n_tokens, n_vocabulary).
        scores = torch.stack(output["scores"], dim=1).float()
        tokens = output["sequences"][:, -scores.shape[1] :]
        return tokens, scores.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)

    def _is_credible(self, heard: _Heard) -> bool:
        return is_credible(self._text(heard.tokens), _mean(heard.logprobs), self._options)

    def _place(self, span: Span, heard: _Heard) -> Heard:
        """Cut the tokens of a span at their time stamps, and move them to where it lies."""
        length_s = span.end_s - span.start_s
        at_s, first = 0.0, 0
        segments: list[Segment] = []
        words: list[Word] = []
        for number in range(len(heard.tokens) + 1):
            is_end = number == len(heard.tokens)
            if not is_end and not self._is_time(heard.tokens[number]):
                continue
            until_s = length_s if is_end else self._time(heard.tokens[number], length_s)
            text = self._text(heard.tokens[first:number])
            if text and at_s < length_s:  # after the end nothing is said
                confidence = round(math.exp(_mean(heard.logprobs[first:number])), 4)
                start_s, end_s = span.start_s + at_s, span.start_s + max(until_s, at_s)
                segments.append(
                    Segment(
                        start_s=round(start_s, 3),
                        end_s=round(end_s, 3),
                        text=text,
                        confidence=confidence,
                    )
                )
                words += self._words(span, heard, first, number)
            at_s, first = max(at_s, until_s), number + 1
        return Heard(tuple(segments), tuple(words))

    def _words(self, span: Span, heard: _Heard, first: int, last: int) -> Iterator[Word]:
        """Words of the tokens from first to last: a word starts where the text has a space."""
        if not heard.times:
            return
        starts = [
            number
            for number in range(first, last)
            if number == first or self._tokenizer.decode(heard.tokens[number])[:1].isspace()
        ]
        length_s = span.end_s - span.start_s
        for start, end in zip(starts, [*starts[1:], last], strict=True):
            if text := self._text(heard.tokens[start:end]):
                start_s = min(heard.times[start - 1] if start else 0.0, length_s)
                end_s = min(max(heard.times[end - 1], start_s), length_s)
                confidence = round(math.exp(_mean(heard.logprobs[start:end])), 4)
                yield Word(
                    round(span.start_s + start_s, 3),
                    round(span.start_s + end_s, 3),
                    text,
                    confidence,
                )

    def _is_time(self, token: int) -> bool:
        return self._first_time is not None and token >= self._first_time

    def _time(self, token: int, length_s: float) -> float:
        return min((token - (self._first_time or 0)) * _TIME_STEP_S, length_s)

    def _text(self, tokens: Sequence[int]) -> str:
        words = [token for token in tokens if not self._is_time(token)]
        return " ".join(self._tokenizer.decode(words, skip_special_tokens=True).split())

    @cached_property
    def _end(self) -> int:
        """Token that ends a text."""
        return int(self._model.generation_config.eos_token_id)

    @cached_property
    def _device(self) -> str:
        return choose_device(self._options.device)

    @cached_property
    def _folder(self) -> Path:
        model, revision = self._options.model, self._options.revision
        return find_folder("speech", model, revision, patterns=_IDENTITY, needed=_NEEDED)

    @cached_property
    def _first_time(self) -> int | None:
        """Token of the time 0.00; None for a model that was not taught to say times."""
        last = getattr(self._model.generation_config, "no_timestamps_token_id", None)
        return None if last is None else int(last) + 1

    @cached_property
    def _extractor(self) -> Any:
        return load_part("WhisperFeatureExtractor", self._folder)

    @cached_property
    def _tokenizer(self) -> Any:
        return load_part("WhisperTokenizer", self._folder)

    @cached_property
    def _model(self) -> Any:
        is_int8 = self.precision == "int8"
        model, _ = load_weights(
            "WhisperForConditionalGeneration",
            self._folder,
            who="whisper",
            hint="Name a Whisper model",
            dtype="float32" if is_int8 else self.precision,
            may_miss=lambda _, key: key == "proj_out.weight",  # tied to the embeddings
        )
        model = model.to(self._device).eval()
        log.info("loaded whisper %s on %s in %s", self.version, self._device, self.precision)
        return _quantised(model) if is_int8 else model


def _quantised(model: Any) -> Any:
    import warnings

    import torch

    warnings.filterwarnings("ignore", "torch.ao.quantization is deprecated")
    warnings.filterwarnings("ignore", "torch.quantize_per_tensor")
    quantise: Any = torch.ao.quantization.quantize_dynamic
    return quantise(model, {torch.nn.Linear}, dtype=torch.qint8)


def _up_to_end(tokens: list[int], logprobs: list[float], times: list[float], end: int) -> _Heard:
    size = tokens.index(end) if end in tokens else len(tokens)
    return _Heard(tokens[:size], logprobs[:size], times[:size])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def build(options: Options) -> Whisper:
    """Build the recogniser; files are looked up and weights are loaded when they are needed."""
    return Whisper(options)
