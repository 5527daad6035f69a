"""How alike two items are by what is written about them, weighed as people who like both would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import scipy.sparse as sp

from plmrec.histories import Catalogue, Floats, Ints, TrainingData
from plmrec.recommenders._item_to_item import empty_matrix
from plmrec.recommenders._texts import mean_text, read_texts
from plmrec.types import FloatMatrix

_CELLS: Final = 8_000_000  # pairs in memory at once: 32 MB per aspect
_MIN_LIKES: Final = 5  # of an item whose place among the others is known well enough to learn from
_MIN_ITEMS: Final = 50  # such items; below, the weights stay as they come
_MAX_ANCHORS: Final = 1000
_MAX_OTHERS: Final = 2000
_LABELS: Final = ("genres", "creators", "cast")
_MAX_LABELS: Final = 15  # of one kind per item; the most important come first

# Without evidence: a shared name says about as much as a near text.
_START: Final = {
    "text": 1.0,
    "text_squared": 1.0,
    "genres": 0.5,
    "creators": 0.5,
    "cast": 1.0,
    "words": 0.3,
    "age": 0.0,
}


class Aspects:
    """The aspects of a catalogue in which two of its items can be compared.

    ``text`` and ``text_squared``: cosine of the language model's vectors, and its square with the
    sign kept; ``genres creators cast``: cosine of the labels by TF-IDF; ``words``: the same of
    titles in runs of three to five letters, which needs no language; ``age``: near 1 for items
    published at the same time, 1/e for those a standard deviation apart.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._dense: dict[str, FloatMatrix] = {}
        self._sparse: dict[str, sp.csr_matrix] = {}
        if catalogue.vectors is not None:
            self._dense["text"] = read_texts(catalogue, mean_text(catalogue))
        for name in _LABELS:
            labels = _labels_tfidf(getattr(catalogue, name))
            if labels is not None:
                self._sparse[name] = labels
        words = _words_tfidf(catalogue.titles)
        if words is not None:
            self._sparse["words"] = words
        self._published = _standardised(catalogue.published_at)

    def between(self, rows: Ints, columns: Ints, weights: dict[str, float]) -> FloatMatrix:
        """Weighted sum of the aspects, float32 (n_rows, n_columns)."""
        total = np.zeros((len(rows), len(columns)), dtype=np.float32)
        for name, values in self.each(rows, columns):
            total += np.float32(weights.get(name, 0.0)) * values
        return total

    def each(self, rows: Ints, columns: Ints) -> list[tuple[str, FloatMatrix]]:
        """Every aspect that the catalogue has, float32 (n_rows, n_columns) each."""
        found: list[tuple[str, FloatMatrix]] = []
        for name, vectors in self._dense.items():
            cosine = vectors[rows] @ vectors[columns].T
            found += [(name, cosine), (f"{name}_squared", cosine * np.abs(cosine))]
        for name, matrix in self._sparse.items():
            product = (matrix[rows] @ matrix[columns].T).todense()
            found.append((name, np.asarray(product, dtype=np.float32)))
        if self._published is not None:
            apart = np.abs(self._published[rows, None] - self._published[columns])
            found.append(("age", np.exp(-apart).astype(np.float32)))
        return found


def _labels_tfidf(labels: Sequence[Sequence[str]]) -> sp.csr_matrix | None:
    """Unit TF-IDF rows of labels; None when no two items share one."""
    if not any(labels):
        return None
    return _tfidf([list(each[:_MAX_LABELS]) for each in labels], analyzer=lambda names: names)


def _words_tfidf(titles: Sequence[str]) -> sp.csr_matrix | None:
    """Unit TF-IDF rows of runs of letters of titles; common runs are left out."""
    if not any(titles):
        return None
    return _tfidf(list(titles), analyzer="char_wb", ngram_range=(3, 5), max_df=0.02)


def _tfidf(texts: list[Any], **options: Any) -> sp.csr_matrix | None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        vectorizer = TfidfVectorizer(min_df=2, dtype=np.float32, sublinear_tf=True, **options)
        return sp.csr_matrix(vectorizer.fit_transform(texts))
    except ValueError:  # nothing occurs twice
        return None


def _standardised(published_at: Floats | None) -> FloatMatrix | None:
    """Times in standard deviations, unknown ones at the median; None when all are alike."""
    if published_at is None or not np.isfinite(published_at).any():
        return None
    known = np.isfinite(published_at)
    spread = float(np.std(published_at[known]))
    if spread <= 0:
        return None
    filled = np.where(known, published_at, np.median(published_at[known]))
    return np.asarray((filled - filled.mean()) / spread, dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What each aspect counts in the likeness of two items.

    Attributes:
        weights: By aspect; see ``Aspects``.
    """

    weights: dict[str, float]

    def nearest(
        self, catalogue: Catalogue, *, queries: Ints, among: Ints, n_neighbours: int
    ) -> sp.csr_matrix:
        """Weights of the items most like some others.

        The weight is the square of what likeness is above its mean over ``among``, so that the
        few really close ones speak loudest.

        Args:
            catalogue: n_items items.
            queries: int64 (n_queries,), places of the items whose neighbours are wanted.
            among: int64 (n,), places of those that may be neighbours; an item is never its own.
            n_neighbours: Neighbours per item at most.

        Returns:
            float32 CSR (n_items, n_queries), none negative; column q belongs to ``queries[q]``.
        """
        if not len(queries) or not len(among):
            return empty_matrix(catalogue.n_items, len(queries))
        aspects = Aspects(catalogue)
        found: list[sp.csr_matrix] = []
        step = max(1, _CELLS // len(among))
        for start in range(0, len(queries), step):
            asked = queries[start : start + step]
            likeness = aspects.between(asked, among, self.weights)
            likeness -= likeness.mean(axis=1, keepdims=True)
            likeness[asked[:, None] == among] = 0.0
            found.append(_strongest_rows(likeness, among, n_neighbours, catalogue.n_items))
        return sp.vstack(found).T.tocsr()


def _strongest_rows(
    likeness: FloatMatrix, among: Ints, n_neighbours: int, n_items: int
) -> sp.csr_matrix:
    """Squares of the largest positive values of each row, float32 CSR (n_rows, n_items)."""
    if n_neighbours < len(among):
        cut = len(among) - n_neighbours
        border = np.partition(likeness, cut, axis=1)[:, cut, None]
        likeness[likeness < border] = 0.0
    row, column = np.nonzero(likeness > 0)
    entries = (likeness[row, column] ** 2, (row, among[column]))
    return sp.csr_matrix(entries, shape=(len(likeness), n_items), dtype=np.float32)


@lru_cache(maxsize=1)
def learn_likeness(data: TrainingData) -> Likeness:
    """Weigh the aspects so that alike items are those that the same people like.

    The cosine between two items' factors in matrix factorisation is regressed on the aspects of
    the pair, over pairs of items that enough people liked. Items without any likes can then be
    compared as if people had spoken. Weights are at least 0: no aspect can make a shared name
    count against two items.

    Source:
        Gantner et al. 2010, "Learning attribute-to-feature mappings for cold-start
        recommendations", for the idea of mapping attributes to a factor space.
    """
    from scipy.optimize import nnls

    from plmrec.recommenders import als

    counts = np.bincount(data.histories.positives().items, minlength=data.catalogue.n_items)
    known = np.argsort(-counts, kind="stable")[:_MAX_OTHERS]
    known = np.sort(known[counts[known] >= _MIN_LIKES])
    if len(known) < _MIN_ITEMS:
        return Likeness(weights=dict(_START))
    model = als.build(als.Options())
    model.fit(data)
    factors = model.factors_of(known)
    anchors = np.random.default_rng(0).permutation(len(known))[:_MAX_ANCHORS]
    found = Aspects(data.catalogue).each(known[anchors], known)
    if not found:
        return Likeness(weights=dict(_START))
    is_pair = anchors[:, None] != np.arange(len(known))
    target = (factors[anchors] @ factors.T)[is_pair].astype(np.float64)
    columns = [values[is_pair] for _, values in found]
    ones = np.ones(len(target), dtype=np.float32)
    weights = nnls(*_normal_equations([*columns, ones, -ones], target))[0]
    names = [name for name, _ in found]
    return Likeness(weights=dict(zip(names, weights.round(4).tolist(), strict=False)))


def _normal_equations(columns: list[FloatMatrix], target: Floats) -> tuple[Floats, Floats]:
    """A small square system with the same non-negative least-squares solution."""
    matrix = np.stack(columns, axis=1).astype(np.float64)
    gram = matrix.T @ matrix + 1e-6 * len(target) * np.eye(matrix.shape[1])
    root = np.linalg.cholesky(gram).T
    return np.asarray(root), np.asarray(np.linalg.solve(root.T, matrix.T @ target))
