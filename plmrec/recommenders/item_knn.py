"""ItemKNN: items liked by the same users are neighbours."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from plmrec.histories import TrainingData
from plmrec.params import Section
from plmrec.recommenders._item_to_item import ItemToItem, keep_strongest, known_items, reading
from plmrec.recommenders._linear import LinearRecommender
from plmrec.recommenders._weights import Reads, evidence


class Options(Section):
    """Options of this backend."""

    shrinkage: float = Field(
        default=20.0, ge=0, description="likes by how many the support of a pair is doubted"
    )
    n_neighbours: int = Field(default=100, ge=1, description="neighbours kept per item")
    decay_items: float | None = Field(
        default=10.0,
        gt=0,
        description="liked items after which an older one weighs 1/e when scoring; null: all alike",
    )
    reads: Reads = Field(
        default="liked", description="learn from what users liked, or from all they had to do with"
    )


def learn(data: TrainingData, options: Options) -> ItemToItem:
    """Compute shrunk cosines between the columns of likes, and keep the nearest of each item.

    ``s(i, j) = n_ij / (sqrt(n_i n_j) + shrinkage)``, where n_ij counts users who liked both.

    Source:
        Sarwar et al. 2001, "Item-based collaborative filtering recommendation algorithms"; the
        shrinkage as in Ferrari Dacrema et al. 2019, "Are we really making much progress?".
    """
    read = evidence(data.histories, options.reads)
    places = known_items(read)
    likes = read.matrix()[:, places]
    norms = np.sqrt(np.asarray(likes.multiply(likes).sum(axis=0)).ravel())
    together = (likes.T @ likes).tocoo()
    off = together.row != together.col
    row, column = together.row[off], together.col[off]
    cosine = together.data[off] / (norms[row] * norms[column] + options.shrinkage)
    similar = sp.csr_matrix((cosine.astype(np.float32), (row, column)), shape=together.shape)
    return ItemToItem(
        matrix=keep_strongest(similar, options.n_neighbours),
        places=places,
        n_items=data.catalogue.n_items,
        **reading(options),
    )


def build(options: Options) -> LinearRecommender:
    """Build the recommender; called by plmrec.backends."""
    return LinearRecommender(part="item_knn", options=options, learn=learn)
