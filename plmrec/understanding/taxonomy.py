"""Vectors of interest tags, and how likely an item carries one, alike for all tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from plmrec.digests import digest_json
from plmrec.tags import Tag, Taxonomy
from plmrec.types import FloatMatrix
from plmrec.understanding.base import Encode

VERSION: Final = 2  # raise it when the same inputs give another taxonomy

_LABEL_SHARE: Final = 0.7  # of the items with a label in its vector, against its words
_NEAREST: Final = 0.02  # share of the corpus whose mean moves a tag without carriers
_MIN_CARRIERS: Final = 8  # for a curve of its own
# Of the tail, over all pairs: a list of interests is longer than those a corpus is about.
_OVERALL: Final = 1 / 3
_CREATOR_TAIL: Final = 0.1  # of the tail: who made an item is told by its label, seldom by likeness
_MIN_SCALE: Final = 0.01
_SMALL: Final = 1e-9

Places = npt.NDArray[np.int64]


class TaggedItem(NamedTuple):
    """A tag that an item carries.

    Attributes:
        tag_id: Which.
        strength: In [0, 1]; 1 for a label.
        similarity: Cosine of item and tag.
        is_label: Whether the dataset says so.
    """

    tag_id: str
    strength: float
    similarity: float
    is_label: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TagSources:
    """What a taxonomy is made of.

    Attributes:
        tags: All tags, each id once.
        carriers: Places of the items with each tag of genres, creators and mined words.
        vectors: float32 (n, d), unit rows: what is written and said about each item.
        tail: Share of the items that carries a tag without labels.
    """

    tags: Sequence[Tag]
    carriers: Mapping[str, Places]
    vectors: FloatMatrix
    tail: float


def build_taxonomy(
    sources: TagSources, *, version: int, fingerprint: str, encode: Encode
) -> Taxonomy:
    """Give every tag a vector and a curve from cosine to strength.

    The vector of a genre, creator or mined tag is mostly the mean of the items that have it; of
    any other, its words moved towards the items nearest them. Strength of a label is the
    probability that an item with this cosine has it, by Platt's method, each item judged by
    the others; without labels to learn from, strength 1/2 is the cosine that the share ``tail`` of
    the corpus exceeds, or a third of that share of all pairs of an item and such a tag: a tag that
    is far from the whole corpus is carried by nothing.

    Source:
        Platt 1999, "Probabilistic outputs for support vector machines"; Rocchio 1971, "Relevance
        feedback in information retrieval", for words moved towards what they find.
    """
    known = sources.vectors if len(sources.vectors) else np.zeros_like(encode([""])[:0])
    mean = corpus_mean(known)
    items = centre(known, mean)
    words = _word_vectors(sources.tags, mean, encode)
    vectors = np.zeros((len(sources.tags), len(mean)), dtype=np.float32)
    offsets = np.zeros(len(sources.tags), dtype=np.float32)
    scales = np.ones(len(sources.tags), dtype=np.float32)
    for place, tag in enumerate(sources.tags):
        carriers = sources.carriers.get(tag.tag_id)
        if carriers is None or not len(carriers):
            vectors[place] = _moved(words[place], items)
        else:
            vectors[place] = _mixed(items[carriers].sum(axis=0), words[place])
        offsets[place], scales[place] = _curve(
            vectors[place], words[place], tag, carriers, items, sources.tail
        )
    if len(items) > 1:
        free = [n for n, tag in enumerate(sources.tags) if tag.origin in {"curated", "mined"}]
        share = _OVERALL * sources.tail
        least = np.quantile(items @ vectors[free].T, 1.0 - share) if free else 0.0
        offsets[free] = np.maximum(offsets[free], least)
    described = [[tag.tag_id, tag.name, tag.origin, list(tag.words)] for tag in sources.tags]
    numbers = [np.round(column, 3).tolist() for column in (vectors, offsets, scales, mean)]
    return Taxonomy(
        version=version,
        digest=digest_json([VERSION, fingerprint, described, numbers]),
        fingerprint=fingerprint,
        tags=tuple(sources.tags),
        vectors=vectors,
        mean=mean,
        offsets=offsets,
        scales=scales,
    )


def tag_items(
    taxonomy: Taxonomy,
    vectors: FloatMatrix,
    labels: Sequence[Sequence[str]],
    *,
    min_strength: float,
    max_tags: int,
) -> list[list[TaggedItem]]:
    """Find the tags of items, strongest first; labels come before all others.

    Args:
        taxonomy: The tags.
        vectors: float32 (n, d), unit rows: what is written and said about each item.
        labels: Ids of the tags that the dataset gives each item; those that are not in the
            taxonomy are left out.
        min_strength: From which on an item carries a tag it is not labelled with.
        max_tags: Of an item.
    """
    if not taxonomy.n_tags or not len(vectors):
        return [[] for _ in vectors]
    cosines = centre(vectors, taxonomy.mean) @ taxonomy.vectors.T
    odds = np.clip((cosines - taxonomy.offsets) / taxonomy.scales, -50.0, 50.0)
    strengths = 1.0 / (1.0 + np.exp(-odds))
    positions = taxonomy.positions()
    found = []
    for row, named in enumerate(labels):
        own = {positions[tag_id] for tag_id in named if tag_id in positions}
        carried = own | set(np.flatnonzero(strengths[row] >= min_strength).tolist())
        some = [
            TaggedItem(
                tag_id=taxonomy.tags[place].tag_id,
                strength=1.0 if place in own else round(float(strengths[row, place]), 4),
                similarity=round(float(cosines[row, place]), 4),
                is_label=place in own,
            )
            for place in carried
        ]
        some.sort(key=lambda tag: (not tag.is_label, -tag.strength, -tag.similarity, tag.tag_id))
        found.append(some[:max_tags])
    return found


def corpus_mean(vectors: FloatMatrix) -> FloatMatrix:
    """What all vectors share, float32 (d,); zeros for fewer than two."""
    if len(vectors) < 2:
        return np.zeros(vectors.shape[1], dtype=np.float32)
    return np.asarray(vectors.mean(axis=0), dtype=np.float32)


def centre(vectors: FloatMatrix, mean: FloatMatrix) -> FloatMatrix:
    """Take the mean off and bring rows back to length 1; a row that is the mean becomes zeros.

    Source:
        Mu, Bhat and Viswanath 2018, "All-but-the-top: simple and effective postprocessing for word
        representations".
    """
    return _unit(vectors - mean)


def _unit(rows: FloatMatrix) -> FloatMatrix:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(np.where(lengths > 1e-6, rows / np.maximum(lengths, _SMALL), 0.0), np.float32)


def _word_vectors(tags: Sequence[Tag], mean: FloatMatrix, encode: Encode) -> FloatMatrix:
    """Vectors of the tags' words without what these have in common: short texts have much."""
    if not tags:
        return np.zeros((0, len(mean)), dtype=np.float32)
    texts = [f"{tag.name}: {', '.join(tag.words)}" if tag.words else tag.name for tag in tags]
    encoded = encode(texts)
    return centre(encoded, corpus_mean(encoded) if len(tags) >= 8 else mean)


def _mixed(total: FloatMatrix, words: FloatMatrix) -> FloatMatrix:
    """Vector of a tag whose items' vectors add up to ``total``."""
    return _unit(_LABEL_SHARE * _unit(total) + (1.0 - _LABEL_SHARE) * words)


def _moved(words: FloatMatrix, items: FloatMatrix) -> FloatMatrix:
    """Vector of a tag without items: its words, and in equal parts the items nearest them."""
    n_nearest = max(round(len(items) * _NEAREST), 1) if len(items) else 0
    if n_nearest < 5:
        return words
    nearest = np.argsort(-(items @ words), kind="stable")[:n_nearest]
    return _unit(words + _unit(items[nearest].mean(axis=0)))


def _curve(
    vector: FloatMatrix,
    words: FloatMatrix,
    tag: Tag,
    carriers: Places | None,
    items: FloatMatrix,
    tail: float,
) -> tuple[float, float]:
    """Offset and scale of a tag's curve."""
    cosines = items @ vector
    learns = tag.origin in {"genre", "creator"}
    if carriers is not None and learns and _MIN_CARRIERS <= len(carriers) < len(items):
        own = items[carriers]
        others = np.stack([_mixed(own.sum(axis=0) - row, words) for row in own])
        cosines[carriers] = np.einsum("ij,ij->i", own, others)
        is_carrier = np.zeros(len(items), dtype=np.bool_)
        is_carrier[carriers] = True
        if curve := _platt(cosines, is_carrier):
            return curve
    if len(items) < 2:
        return 0.5, 0.1
    if tag.origin == "creator":
        tail *= _CREATOR_TAIL
    middle, edge = np.quantile(cosines, [0.5, 1.0 - tail])
    # An item in the middle has the odds of the tail: logit(tail) = -(edge - middle) / scale.
    scale = (edge - middle) / np.log((1.0 - tail) / tail)
    return float(edge), max(float(scale), _MIN_SCALE)


def _platt(cosines: FloatMatrix, labels: npt.NDArray[np.bool_]) -> tuple[float, float] | None:
    """Offset and scale of the logistic curve through labelled cosines; None when it falls."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=100.0, max_iter=200).fit(cosines[:, None] * 10.0, labels)
    slope, start = float(fitted.coef_[0, 0]) * 10.0, float(fitted.intercept_[0])
    if slope < 1.0:
        return None
    return -start / slope, max(1.0 / slope, _MIN_SCALE)
