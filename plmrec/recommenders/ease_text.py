"""EASE^R that also reads texts: features of items are stacked under what users liked."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from plmrec.histories import Catalogue, Ints, TrainingData
from plmrec.recommenders import ease
from plmrec.recommenders._item_to_item import ItemToItem, keep_strongest, reading
from plmrec.recommenders._linear import LinearRecommender
from plmrec.recommenders._texts import mean_text, read_texts
from plmrec.recommenders._weights import evidence
from plmrec.types import FloatMatrix

_ROWS = 1_000  # of the matrix of items by items that are added to at once


class Options(ease.Options):
    """Options of this backend: those of ``ease``, and how much texts and genres weigh."""

    text_weight: float = Field(
        default=30.0,
        ge=0,
        description="weight of an item's text; 1 counts as much as one more user who liked it",
    )
    text_dims: int = Field(
        default=64, ge=1, description="strongest directions of the texts that are read"
    )
    genre_weight: float = Field(default=3.0, ge=0, description="weight of an item's genres")


def text_columns(catalogue: Catalogue, n_dims: int) -> FloatMatrix:
    """Texts by their strongest common directions.

    Args:
        catalogue: n_items items.
        n_dims: Directions at most.

    Returns:
        float32 (n_items, <= n_dims): the centred vectors seen from the directions of largest
        variance, rows of length 1, or zeros without text.
    """
    centred = read_texts(catalogue, mean_text(catalogue)).astype(np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    seen_from = centred @ directions[:, ::-1][:, :n_dims]
    norms = np.linalg.norm(seen_from, axis=1, keepdims=True)
    return np.asarray(seen_from / np.maximum(norms, 1e-6), dtype=np.float32)


def genre_columns(genres: tuple[tuple[str, ...], ...], n_items: int) -> FloatMatrix:
    """One column per genre, float32 (n_items, n_genres), rows of length 1 or zeros.

    Rare genres weigh more: a column's entries are the genre's ``ln(n_items / n_with_it)``.
    """
    names = sorted({name for each in genres for name in each})
    column = {name: place for place, name in enumerate(names)}
    found = np.zeros((n_items, len(names)), dtype=np.float32)
    for row, each in enumerate(genres):
        found[row, [column[name] for name in each]] = 1.0
    found *= np.log(max(n_items, 1) / np.maximum(found.sum(axis=0), 1.0))
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.maximum(norms, 1e-6), dtype=np.float32)


def features(catalogue: Catalogue, options: Options) -> FloatMatrix:
    """What is known of the items besides likes, weighed: float32 (n_items, n_features)."""
    n_items = catalogue.n_items
    texts = text_columns(catalogue, options.text_dims)
    genres = genre_columns(catalogue.genres, n_items)
    return np.concatenate(
        [np.sqrt(options.text_weight) * texts, np.sqrt(options.genre_weight) * genres],
        axis=1,
        dtype=np.float32,
    )


def learn(data: TrainingData, options: Options) -> ItemToItem:
    """Solve for the weights between all items that were liked or say something about themselves.

    With the likes X and the features T the weights minimise ``|X - X B|² + |T' - T' B|² + l2 |B|²``
    with a diagonal of zeros: a feature counts as one more user, who likes the items that have it.

    Source:
        Jeunen, Van Balen and Goethals 2020, "Closed-form models for collaborative filtering with
        side-information".
    """
    read = evidence(data.histories, options.reads)
    columns = features(data.catalogue, options)
    places = _told_of(np.bincount(read.items, minlength=read.n_items), columns, options.max_items)
    likes, told = read.matrix()[:, places], columns[places]
    is_small = len(places) <= ease.DENSE_UP_TO
    gram = (likes.T @ likes).toarray().astype(np.float64 if is_small else np.float32)
    for start in range(0, len(places), _ROWS):
        gram[start : start + _ROWS] += told[start : start + _ROWS] @ told.T
    weights = ease.solve_ease(gram, options.l2) if len(places) else gram
    return ItemToItem(
        matrix=weights.astype(np.float32) if is_small else keep_strongest(weights, options.keep),
        places=places,
        n_items=data.catalogue.n_items,
        **reading(options),
    )


def _told_of(counts: Ints, columns: FloatMatrix, max_items: int) -> Ints:
    """Places, ascending, of the items with a like or a feature; of the most liked if too many."""
    known = np.flatnonzero((counts > 0) | columns.any(axis=1))
    if len(known) > max_items:
        known = np.sort(known[np.argsort(-counts[known], kind="stable")[:max_items]])
    return known.astype(np.int64)


def build(options: Options) -> LinearRecommender:
    """Build the recommender; called by plmrec.backends."""
    return LinearRecommender(part="ease_text", options=options, learn=learn)
