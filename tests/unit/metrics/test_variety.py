from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from plmrec.metrics.variety import age_at_k, diversity_at_k, gini_at_k


class TestGini:
    def test_is_0_when_all_items_are_shown_alike(self):
        assert gini_at_k(np.array([[0, 1], [2, 3]]), n_items=4, k=2) == 0.0

    def test_is_all_but_one_nth_when_one_item_is_shown_alone(self):
        assert gini_at_k(np.zeros((7, 1), dtype=np.int64), n_items=5, k=1) == pytest.approx(4 / 5)

    def test_is_half_the_mean_difference_of_all_pairs_over_the_mean(self):
        items = np.random.default_rng(1).integers(0, 12, size=(30, 5)) ** 2 // 13
        shown = np.bincount(items.ravel(), minlength=15).astype(float)
        by_pairs = np.abs(shown[:, None] - shown).mean() / 2 / shown.mean()
        assert gini_at_k(items, n_items=15, k=5) == pytest.approx(by_pairs)

    def test_counts_only_the_first_k_and_the_items_that_could_be_shown(self):
        items = np.array([[0, 3], [1, 3]])
        assert gini_at_k(items, 4, k=1, among=np.array([True, True, False, False])) == 0.0

    def test_is_unknown_when_nothing_is_shown(self):
        assert np.isnan(gini_at_k(np.array([[-1, -1]]), n_items=4, k=2))


class TestDiversity:
    def test_agrees_with_all_pairs_of_scikit_learn(self):
        rng = np.random.default_rng(2)
        vectors = rng.normal(size=(20, 6)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        items = np.array([rng.permutation(20)[:5] for _ in range(8)])
        pairs = np.triu_indices(5, k=1)
        expected = [1 - cosine_similarity(vectors[row])[pairs].mean() for row in items]
        np.testing.assert_allclose(diversity_at_k(items, vectors, k=5), expected, atol=1e-6)

    def test_is_0_for_items_that_say_the_same(self):
        vectors = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (3, 1))
        assert diversity_at_k(np.array([[0, 1, 2]]), vectors, k=3)[0] == pytest.approx(0, abs=1e-6)

    def test_leaves_out_items_without_text_and_empty_places(self):
        vectors = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]], dtype=np.float32)
        found = diversity_at_k(np.array([[0, 1, 2, -1], [0, 1, -1, -1]]), vectors, k=4)
        assert found[0] == 1.0
        assert np.isnan(found[1])

    def test_is_unknown_without_vectors(self):
        assert np.isnan(diversity_at_k(np.array([[0, 1]]), None, k=2)).all()


class TestAge:
    def test_is_the_mean_over_known_ages_in_the_first_k(self):
        ages = np.array([1.0, 5.0, np.nan, 100.0])
        found = age_at_k(np.array([[0, 1, 2, 3], [2, -1, -1, -1]]), ages, k=3)
        assert found[0] == 3.0
        assert np.isnan(found[1])
