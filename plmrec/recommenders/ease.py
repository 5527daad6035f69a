"""EASE^R: a linear item-to-item model in closed form, scored on a history weighted by recency."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from plmrec.histories import TrainingData
from plmrec.params import Section
from plmrec.recommenders._item_to_item import ItemToItem, keep_strongest, known_items, reading
from plmrec.recommenders._linear import LinearRecommender
from plmrec.recommenders._weights import Reads, evidence
from plmrec.types import FloatMatrix

DENSE_UP_TO = 4_000  # items; a larger matrix is kept sparse, or a release would weigh gigabytes


class Options(Section):
    """Options of this backend."""

    l2: float = Field(default=200.0, gt=0, description="weight of the ridge penalty")
    decay_items: float | None = Field(
        default=10.0,
        gt=0,
        description="liked items after which an older one weighs 1/e when scoring; null: all alike",
    )
    max_items: int = Field(
        default=8_000,
        ge=1,
        description="only so many of the most liked items; memory is 8 bytes x n²",
    )
    reads: Reads = Field(
        default="liked", description="learn from what users liked, or from all they had to do with"
    )
    keep: int = Field(
        default=400, ge=1, description=f"weights kept per item above {DENSE_UP_TO} items"
    )


def solve_ease(gram: FloatMatrix, l2: float) -> FloatMatrix:
    """Weights B that minimise ``|X - X B|² + l2 |B|²`` with a diagonal of zeros.

    With ``P = (X'X + l2 I)^-1`` the solution is ``B[i, j] = -P[i, j] / P[j, j]`` off the diagonal.

    Args:
        gram: ``X'X``, float32 or float64 (n, n); overwritten.
        l2: Ridge penalty, above 0.

    Returns:
        (n, n), the dtype of ``gram``.

    Source:
        Steck 2019, "Embarrassingly shallow autoencoders for sparse data".
    """
    from scipy.linalg import lapack

    gram[np.diag_indices_from(gram)] += l2
    factor, inverse = (
        (lapack.spotrf, lapack.spotri)
        if gram.dtype == np.float32
        else (
            lapack.dpotrf,
            lapack.dpotri,
        )
    )
    half, _ = factor(gram, lower=1, overwrite_a=1)  # l2 > 0: positive definite
    half, _ = inverse(half, lower=1, overwrite_c=1)
    lower = np.tril(half)
    del half
    lower += np.tril(lower, -1).T
    lower /= -np.diag(lower).copy()
    np.fill_diagonal(lower, 0.0)
    return np.asarray(lower)


def learn(data: TrainingData, options: Options) -> ItemToItem:
    """Solve for the weights between all known items."""
    read = evidence(data.histories, options.reads)
    places = known_items(read, options.max_items)
    likes = read.matrix()[:, places]
    exact = np.float64 if len(places) <= DENSE_UP_TO else np.float32
    gram = (likes.T @ likes).toarray().astype(exact)
    weights = solve_ease(gram, options.l2) if len(places) else gram
    return ItemToItem(
        matrix=weights.astype(np.float32)
        if len(places) <= DENSE_UP_TO
        else keep_strongest(weights, options.keep),
        places=places,
        n_items=data.catalogue.n_items,
        **reading(options),
    )


def build(options: Options) -> LinearRecommender:
    """Build the recommender; called by plmrec.backends."""
    return LinearRecommender(part="ease", options=options, learn=learn)
