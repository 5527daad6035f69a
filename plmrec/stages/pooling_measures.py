"""How well item vectors answer questions of a topic, and by a passage that is not in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from plmrec.encoders.base import Encoder, encode_queries
from plmrec.histories import Catalogue, Floats, Ints
from plmrec.metrics.lists import top_k
from plmrec.metrics.ranking import find_hits, ndcg_at_k
from plmrec.params import DocumentParams
from plmrec.stages.encoder_evaluation import PerUser, Yardstick, judge_vectors
from plmrec.stages.pooling import Pieces, pool
from plmrec.types import FloatMatrix

TOPICS: Final = "topics"
MISSING: Final = "missing passage"
_MIN_OF_TOPIC: Final = 5  # items below which a genre is no question
_MAX_MISSING: Final = 1000  # items asked for by a passage of theirs
_MIN_PASSAGES: Final = 3  # of such an item: one is asked with, the others are at least two


def judge_pooling(
    pieces: Sequence[Pieces],
    params: DocumentParams,
    *,
    encoder: Encoder,
    catalogue: Catalogue,
    yardstick: Yardstick,
) -> PerUser:
    """Pool all items in one way and judge the vectors.

    Args:
        pieces: The passages of every item, in the order of the catalogue.
        params: ``pooling`` and ``header_share`` are used.
        encoder: The one the passages come from.
        catalogue: The items, with their genres.
        yardstick: What is held out of their likes.

    Returns:
        Besides what ``judge_vectors`` returns, ``topics``: NDCG@k of the items nearest to the name
        of each genre; ``missing passage``: see ``find_by_missing``. Measures that no genre or no
        item can be judged by are missing.
    """
    vectors = np.stack([pool(each, params) for each in pieces])
    found = judge_vectors(vectors, yardstick)
    if topics := _topics(catalogue):
        likeness = encode_queries(encoder, list(topics)) @ vectors.T
        found[TOPICS] = judge_topics(likeness, list(topics.values()), yardstick.k)
    asked = [place for place, each in enumerate(pieces) if len(each.parts) >= _MIN_PASSAGES]
    if len(asked) > _MAX_MISSING:
        drawn = np.random.default_rng(yardstick.seed).choice(asked, _MAX_MISSING, replace=False)
        asked = sorted(int(place) for place in drawn)
    if asked:
        found[MISSING] = find_by_missing(pieces, asked, vectors, params)
    return found


def judge_topics(likeness: FloatMatrix, members: Sequence[Ints], k: int) -> Floats:
    """NDCG@k of the items nearest to each topic.

    Args:
        likeness: float32 (n_topics, n_items).
        members: Per topic, the places of its items.
        k: Length of the lists.

    Returns:
        float64 (n_topics,).
    """
    sizes = np.array([len(each) for each in members], dtype=np.int64)
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    lists, _ = top_k(likeness, None, k)
    return ndcg_at_k(find_hits(lists, indptr, np.concatenate(members)), sizes, k)


def find_by_missing(
    pieces: Sequence[Pieces], asked: Sequence[int], vectors: FloatMatrix, params: DocumentParams
) -> Floats:
    """Look for items with their last passage, which is left out of their own vector.

    Args:
        pieces: The passages of every item.
        asked: Places of the items to look for; each has at least two passages.
        vectors: float32 (n_items, d), of the whole items.
        params: ``pooling`` and ``header_share`` are used.

    Returns:
        float64 (n_asked,), one over the place of the right item among all.

    Source:
        Lee, Chang and Toutanova 2019, "Latent retrieval for weakly supervised open domain question
        answering", whose inverse cloze task this is, with a passage for a sentence.
    """
    found = []
    for place in asked:
        whole = pieces[place]
        rest = replace(
            whole,
            vectors=whole.vectors[:-1],
            parts=whole.parts[:-1],
            confidences=whole.confidences[:-1],
        )
        likeness = vectors @ whole.vectors[-1]
        right = float(whole.vectors[-1] @ pool(rest, params))
        found.append(1.0 / (1.0 + float((np.delete(likeness, place) >= right).sum())))
    return np.array(found)


def _topics(catalogue: Catalogue) -> Mapping[str, Ints]:
    """Items of each genre that has some but not all, by the genre's name."""
    found: dict[str, list[int]] = {}
    for place, genres in enumerate(catalogue.genres):
        for genre in genres:
            found.setdefault(genre, []).append(place)
    return {
        genre: np.array(places, dtype=np.int64)
        for genre, places in sorted(found.items())
        if _MIN_OF_TOPIC <= len(places) < catalogue.n_items
    }
