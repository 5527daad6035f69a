"""Frozen vectors of items' texts, as the recommenders that project them read them."""

from __future__ import annotations

import numpy as np

from plmrec.histories import Bools, Catalogue
from plmrec.types import FloatMatrix

_SMALL = 1e-6


def has_text(catalogue: Catalogue) -> Bools:
    """(n_items,), True where the item has a vector of its text."""
    if catalogue.vectors is None:
        return np.zeros(catalogue.n_items, dtype=np.bool_)
    return np.asarray(np.any(catalogue.vectors != 0, axis=1))


def mean_text(catalogue: Catalogue) -> FloatMatrix:
    """Mean vector of the items with text, float32 (d,); of length 0 when there is none."""
    there = has_text(catalogue)
    if catalogue.vectors is None or not there.any():
        return np.zeros(0, dtype=np.float32)
    return np.asarray(catalogue.vectors[there].mean(axis=0), dtype=np.float32)


def read_texts(catalogue: Catalogue, mean: FloatMatrix) -> FloatMatrix:
    """Vectors without what all texts have in common, brought back to length 1.

    The mean is given, not taken from the catalogue, so that an item's vector stays what it was in
    training when the catalogue grows. Items without text stay zero.

    Args:
        catalogue: n_items items.
        mean: float32 (d,), see ``mean_text``.

    Returns:
        float32 (n_items, d).

    Source:
        Mu, Bhat and Viswanath 2018, "All-but-the-top: simple and effective postprocessing for word
        representations".
    """
    there = has_text(catalogue)
    if catalogue.vectors is None or catalogue.vectors.shape[1] != len(mean):
        return np.zeros((catalogue.n_items, len(mean)), dtype=np.float32)
    moved = np.where(there[:, None], catalogue.vectors - mean, 0.0)
    moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), _SMALL)
    return moved.astype(np.float32)


def sink_unknown(scores: FloatMatrix, known: Bools) -> FloatMatrix:
    """Give items that are not known the lowest score of those that are, in place.

    Args:
        scores: float32 (n_users, n_items).
        known: (n_items,); when none is, scores stay as they are.
    """
    if known.any() and not known.all():
        lowest = scores.min(axis=1, keepdims=True, where=known, initial=np.inf)
        np.copyto(scores, lowest, where=~known)
    return scores
