"""Markov: what users liked next after liking an item."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from plmrec.histories import TrainingData
from plmrec.params import Section
from plmrec.recommenders._item_to_item import (
    ItemToItem,
    keep_strongest,
    known_items,
    reading,
)
from plmrec.recommenders._linear import LinearRecommender
from plmrec.recommenders._weights import Reads, evidence


class Options(Section):
    """Options of this backend."""

    window: int = Field(default=10, ge=1, description="steps ahead that count as next, likes")
    shrinkage: float = Field(
        default=20.0, ge=0, description="transitions by how many an item's evidence is doubted"
    )
    last_items: int = Field(default=10, ge=1, description="last liked items that are looked at")
    decay_items: float = Field(
        default=4.5, gt=0, description="liked items after which an older one weighs 1/e"
    )
    reads: Reads = Field(
        default="liked", description="learn from what users liked, or from all they had to do with"
    )
    n_next: int = Field(default=400, ge=1, description="items kept that can follow, per item")


def learn(data: TrainingData, options: Options) -> ItemToItem:
    """Count transitions to the likes that follow, a step of m counting 1/m.

    ``p(j | i) = n_ij / (n_i + shrinkage)``, where n_i sums n_ij over j. Users without times have no
    order and teach nothing.

    Source:
        Rendle, Freudenthaler and Schmidt-Thieme 2010, "Factorizing personalized Markov chains for
        next-basket recommendation" (its unfactorised chain); higher orders as in He and McAuley
        2016, "Fusing similarity models with Markov chains for sparse sequential recommendation".
    """
    read = evidence(data.histories, options.reads)
    places = known_items(read)
    n_known = len(places)
    known = np.full(data.catalogue.n_items, -1, dtype=np.int64)
    known[places] = np.arange(n_known)
    users, items, dated = read.users, known[read.items], np.isfinite(read.times)
    rows, columns, ones = [], [], []
    for step in range(1, options.window + 1):
        same = (users[:-step] == users[step:]) & dated[:-step] & dated[step:]
        rows.append(items[:-step][same])
        columns.append(items[step:][same])
        ones.append(np.full(int(same.sum()), 1.0 / step, dtype=np.float32))
    entries = (np.concatenate(ones), (np.concatenate(rows), np.concatenate(columns)))
    counts = sp.csr_matrix(entries, shape=(n_known, n_known))
    total = np.asarray(counts.sum(axis=1)).ravel() + options.shrinkage
    share = np.divide(1.0, total, where=total > 0, out=np.zeros(n_known))
    counts.data *= np.repeat(share, np.diff(counts.indptr)).astype(np.float32)
    return ItemToItem(
        matrix=keep_strongest(counts, options.n_next),
        places=places,
        n_items=data.catalogue.n_items,
        **reading(options),
    )


def build(options: Options) -> LinearRecommender:
    """Build the recommender; called by plmrec.backends."""
    return LinearRecommender(part="markov", options=options, learn=learn)
