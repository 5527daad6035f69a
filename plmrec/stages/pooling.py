"""One vector for an item out of its passages' vectors: by part, mean, largest, or attention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from plmrec.histories import Floats
from plmrec.params import DocumentParams
from plmrec.text.documents import Part
from plmrec.types import FloatMatrix

POOLINGS: Final = ("parts", "mean", "max", "attention")
_SHARPNESS: Final = 0.1  # cosine by which a passage must be more alike to weigh e times as much
_LAST_WEIGHT: Final = 0.5  # of the last passage of a part, by place alone; the first weighs 1
_ZERO: Final = 1e-9  # length below which a vector has no direction


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pieces:
    """The passages of one item, as far as pooling needs them.

    Attributes:
        vectors: float32, shape (n, dim), n >= 1, unit rows.
        parts: n names of what each was cut from; the first is ``header``.
        confidences: n numbers in [0, 1]; None for what was not spoken.
    """

    vectors: FloatMatrix
    parts: Sequence[str]
    confidences: Sequence[float | None]


def pool(pieces: Pieces, params: DocumentParams) -> FloatMatrix:
    """Vector of an item, by ``documents.pooling``.

    ``parts``: see ``weigh_parts``. ``mean``: all passages alike, so that what takes long to say
    weighs much. ``max``: of each of the d numbers the largest of any passage. ``attention``: see
    ``attend``.

    Args:
        pieces: The item's passages.
        params: ``pooling`` and ``header_share`` are used.

    Returns:
        float32, shape (dim,), L2 norm 1; the first passage's vector where the passages cancel out.
    """
    vectors = pieces.vectors.astype(np.float64)
    if params.pooling == "max":
        return _unit(vectors.max(axis=0), pieces.vectors[0])
    if params.pooling == "mean":
        weights = np.ones(len(vectors))
    elif params.pooling == "attention":
        weights = attend(pieces)
    else:
        weights = weigh_parts(pieces.parts, params.header_share)
    return _unit(weights @ vectors, pieces.vectors[0])


def weigh_parts(parts: Sequence[str], header_share: float) -> Floats:
    """Weights of passages by what they were cut from.

    The header has the weight ``header_share``; description and speech, as far as they are there,
    share the rest equally, and so do the passages within each part. So an hour of speech does
    not drown what the item is called. Without other parts the header has all the weight.

    Args:
        parts: n names; the first is ``header``.
        header_share: In [0, 1].

    Returns:
        float64 (n,), not negative, of sum 1.

    Example:
        >>> weigh_parts(["header", "speech", "speech"], 0.5).tolist()
        [0.5, 0.25, 0.25]
    """
    sizes = Counter(parts)
    others = len(sizes) - 1
    share = {part: (1.0 - header_share) / max(others, 1) for part in sizes}
    share[Part.HEADER] = header_share if others else 1.0
    return np.array([share[part] / sizes[part] for part in parts])


def attend(pieces: Pieces) -> Floats:
    """Weights of passages by attention: likeness to what the item is about, place, confidence.

    The question is the sum of the header's vector, which begins with the title, and the centre of
    all passages, so that neither a bare title nor one long digression decides alone. A passage
    weighs ``exp(cosine to it / 0.1)``, times its place, which falls evenly from 1 for the first
    passage of its part to 0.5 for the last, times the confidence of what was heard. Nothing is
    learnt.

    Returns:
        float64 (n,), not negative, of sum 1.

    Source:
        Vaswani et al. 2017, "Attention is all you need", one head, with the item's own centre as
        the query; position as in the lead bias of extractive summaries.
    """
    vectors = pieces.vectors.astype(np.float64)
    centre = _unit(vectors.mean(axis=0), pieces.vectors[0])
    question = _unit(centre + vectors[0], pieces.vectors[0])
    likeness = vectors @ question.astype(np.float64)
    sure = np.array([1.0 if known is None else known for known in pieces.confidences])
    weights = np.exp((likeness - likeness.max()) / _SHARPNESS) * _by_place(pieces.parts) * sure
    total = float(weights.sum())
    return weights / total if total > 0 else np.full(len(vectors), 1.0 / len(vectors))


def _by_place(parts: Sequence[str]) -> Floats:
    """float64 (n,), from 1 for the first passage of each part down to ``_LAST_WEIGHT``."""
    sizes, seen = Counter(parts), Counter[str]()
    weights = []
    for part in parts:
        weights.append(1.0 - (1.0 - _LAST_WEIGHT) * seen[part] / max(sizes[part] - 1, 1))
        seen[part] += 1
    return np.array(weights)


def _unit(vector: Floats, otherwise: FloatMatrix) -> FloatMatrix:
    norm = float(np.linalg.norm(vector))
    return np.asarray(vector / norm if norm > _ZERO else otherwise, dtype=np.float32)
