"""Encoder without weights: hashed words and word pairs, projected to dense unit vectors.

It knows no meaning beyond shared words, yet it is fast, deterministic and keeps the whole promise
of an encoder; tests and DAG tests use it.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from plmrec.digests import digest_json
from plmrec.params import Section
from plmrec.types import FloatMatrix

_WORD: Final = re.compile(r"\w+|[^\w\s]")
_VERSION: Final = 1  # raise it when the same text gets another vector


class Options(Section):
    """Options of this backend in params.yaml."""

    dim: int = Field(default=256, ge=8, le=4096, description="width of the vectors")
    max_tokens: int = Field(default=128, ge=8, le=100_000, description="words of a passage")
    n_gram: int = Field(default=2, ge=1, le=4, description="longest run of words hashed, words")
    delay_s: float = Field(
        default=0.0, ge=0, le=60, description="pause before each batch, seconds; changes no vector"
    )


class HashingEncoder:
    """Sum of one pseudo-random direction per word and word run, weighted by log(1 + count).

    Directions of different words are nearly orthogonal, so that the cosine of two texts
    approximates the weighted share of words they have in common.

    Source:
        Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning";
        Achlioptas 2003, "Database-friendly random projections".
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self.dim = options.dim
        self.max_tokens = options.max_tokens
        self.name = f"hashing-{options.dim}"
        self.fingerprint = digest_json(
            {"backend": "hashing", "version": _VERSION} | options.model_dump(exclude={"delay_s"})
        )

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count words and punctuation marks; see Encoder.count_tokens."""
        return [len(_WORD.findall(text)) for text in texts]

    def encode(self, texts: Sequence[str]) -> FloatMatrix:
        """Encode texts; see Encoder.encode."""
        time.sleep(self._options.delay_s)
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            for feature, count in sorted(Counter(self._features(text)).items()):
                vectors[row] += np.float32(np.log1p(count)) * _direction(feature, self.dim)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)

    def _features(self, text: str) -> Iterator[str]:
        words = _WORD.findall(text.casefold())[: self.max_tokens]
        yield ""  # a text without words has a direction, too
        for length in range(1, self._options.n_gram + 1):
            for start in range(len(words) - length + 1):
                yield " ".join(words[start : start + length])


@lru_cache(maxsize=65_536)
def _direction(feature: str, dim: int) -> npt.NDArray[np.float32]:
    """Pseudo-random signs drawn from the feature's own hash, float32, shape (dim,)."""
    n_bytes = (dim + 7) // 8
    stream = b"".join(
        blake2b(
            feature.encode("utf-8", "surrogatepass"), digest_size=64, salt=part.to_bytes(8)
        ).digest()
        for part in range((n_bytes + 63) // 64)
    )
    bits = np.unpackbits(np.frombuffer(stream, dtype=np.uint8, count=n_bytes))[:dim]
    return bits.astype(np.float32) * 2 - 1


def build(options: Options) -> HashingEncoder:
    """Build the encoder; called by plmrec.backends."""
    return HashingEncoder(options)
