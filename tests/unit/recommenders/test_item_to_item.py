from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from plmrec.recommenders._item_to_item import keep_strongest


def by_sorting(matrix: np.ndarray, n: int) -> np.ndarray:
    kept = np.zeros_like(matrix)
    for column in range(matrix.shape[1]):
        rows = np.argsort(-np.abs(matrix[:, column]), kind="stable")[:n]
        kept[rows, column] = matrix[rows, column]
    return kept


def test_keeps_the_largest_of_each_column_and_the_upper_row_in_a_tie():
    matrix = np.random.default_rng(3).integers(-3, 4, size=(20, 15)).astype(np.float32)
    for n in (1, 4, 19, 20, 50):
        for form in (matrix, sp.csr_matrix(matrix)):
            np.testing.assert_array_equal(keep_strongest(form, n).toarray(), by_sorting(matrix, n))


def test_an_empty_matrix_stays_empty():
    for form in (np.zeros((0, 0), np.float32), sp.csr_matrix((0, 0), dtype=np.float32)):
        assert keep_strongest(form, 3).shape == (0, 0)
