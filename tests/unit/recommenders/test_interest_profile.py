from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from plmrec.backends import build_backend
from plmrec.errors import PermanentError
from plmrec.histories import Catalogue, Histories, ItemTags, TrainingData
from tests.support.tastes import make_data, make_histories

# the mean is 0, so centring changes nothing
CROSS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=np.float32)
GENRES = (("war",), ("comedy",), ("drama",), ("comedy", "drama"))
PLAIN = {
    "decay_items": None,
    "dislike_weight": 0.5,
    "threshold": -1.0,
    "centre": False,
    "rarity": 0.0,
    "vectors": "taxonomy",
}


def fitted(catalogue: Catalogue, **options: object):
    model = build_backend("recommenders", "interest_profile", PLAIN | options)
    nobody = Histories.empty((), catalogue.n_items)
    model.fit(TrainingData(catalogue=catalogue, histories=nobody, now=0.0))
    return model


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(item_ids=("a", "b", "c", "d"), vectors=CROSS, genres=GENRES)


def test_interests_are_signed_shares_of_the_history(catalogue: Catalogue):
    model = fitted(catalogue)
    history = make_histories([[(0, 1.0, 1.0), (3, 1.0, 2.0), (2, -1.0, 3.0)]], 4)
    # weights 1, 1 and -0.5 of 2.5; item 3 is half comedy, half drama
    assert model.tags.names == ("comedy", "drama", "war")
    np.testing.assert_allclose(model.profile(history), [[0.2, 0.0, 0.4]], atol=1e-6)


def test_recent_items_weigh_more(catalogue: Catalogue):
    model = fitted(catalogue, decay_items=2.0)
    history = make_histories([[(0, 1.0, 1.0), (1, 1.0, 2.0)]], 4)
    old = math.exp(-1 / 2)
    expected = [[1 / (1 + old), 0.0, old / (1 + old)]]
    np.testing.assert_allclose(model.profile(history), expected, atol=1e-6)


def test_an_items_score_is_the_cosine_with_the_weighted_sum_of_tag_vectors(catalogue: Catalogue):
    model = fitted(catalogue)
    history = make_histories([[(0, 1.0, 1.0), (1, -1.0, 2.0)]], 4)
    # war lies at (1, 0); items b and d are comedies, whose vectors cancel out: no direction
    np.testing.assert_allclose(model.score(history), [[1, 0, -1, 0]], atol=1e-6)


def test_items_below_the_threshold_stand_lowest(catalogue: Catalogue):
    model = fitted(catalogue, threshold=0.5)
    history = make_histories([[(0, 1.0, 1.0)], []], 4)
    np.testing.assert_allclose(model.score(history), [[1, -1, -1, -1], [0, 0, 0, 0]], atol=1e-6)


def test_without_genres_the_clusters_of_texts_are_the_tags():
    data = make_data()  # items of four groups, each around its own centre
    model = build_backend("recommenders", "interest_profile", {"clusters": 4})
    model.fit(data)
    labels = model.tags.carried.indices
    assert model.tags.names == ("cluster 0", "cluster 1", "cluster 2", "cluster 3")
    assert {tuple(labels[group::4].tolist()) for group in range(4)} == {(n,) * 10 for n in range(4)}


def test_clusters_can_be_asked_for_where_there_are_genres(catalogue: Catalogue):
    assert fitted(catalogue, tags="clusters", clusters=2).tags.names == ("cluster 0", "cluster 1")


def test_names_the_items_of_the_strongest_tags(catalogue: Catalogue):
    model = fitted(catalogue)
    history = make_histories([[(0, 1.0, 1.0), (2, 1.0, 2.0), (1, 1.0, 3.0)]], 4)
    (found,) = model.explain(history, 0)
    assert [place for place, _ in found.items] == [0]
    assert found.value == pytest.approx(model.score(history)[0, 0])


def test_a_new_item_carries_its_genres_or_else_the_nearest_tag(catalogue: Catalogue):
    new = Catalogue(
        item_ids=("e", "f", "c", "a", "g"),
        vectors=np.array([[0, 1], [1, 0], [-1, 0], [1, 0], [0, 0]], dtype=np.float32),
        genres=(("comedy", "musical"), (), ("drama",), ("war",), ()),
    )
    moved = fitted(catalogue).with_catalogue(catalogue, new)
    expected = [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1], [0, 0, 0]]  # comedy, drama, war
    np.testing.assert_allclose(moved.tags.carried.toarray(), expected)
    history = make_histories([[(1, 1.0, 1.0)]], 5)
    np.testing.assert_allclose(moved.score(history)[0, 3], 1.0, atol=1e-6)


class TestTaxonomy:
    """Tags a taxonomy gives: a war film, a comedy, one of both, and one without any."""

    IDS = ("tag:war", "tag:fun")

    def told(self, strengths: list[list[float]], **changes: object) -> ItemTags:
        return ItemTags(
            **{
                "version": 3,
                "digest": "d",
                "tag_ids": self.IDS,
                "names": ("War", "Fun"),
                "vectors": np.array([[1, 0], [0, 1]], dtype=np.float32),
                "mean": np.zeros(2, dtype=np.float32),
                "strengths": sp.csr_matrix(np.array(strengths, dtype=np.float32)),
            }
            | changes
        )

    @pytest.fixture
    def tagged(self, catalogue: Catalogue) -> Catalogue:
        return replace(catalogue, tags=self.told([[0.9, 0], [0, 0.5], [0.6, 0.2], [0, 0]]))

    def test_goes_before_genres_where_items_carry_its_tags(self, tagged: Catalogue):
        model = fitted(tagged)
        assert (model.kind, model.tags.names) == ("taxonomy", ("War", "Fun"))
        shares = [[1, 0], [0, 1], [0.75, 0.25], [0, 0]]
        np.testing.assert_allclose(model.tags.carried.toarray(), shares, atol=1e-6)
        assert fitted(tagged, tags="genres").kind == "genres"

    def test_that_no_item_carries_leaves_genres_the_tags(self, catalogue: Catalogue):
        empty = replace(catalogue, tags=self.told([[0, 0]] * 4))
        assert fitted(empty).kind == "genres"

    def test_that_is_asked_for_and_missing_is_an_error(self, catalogue: Catalogue):
        with pytest.raises(PermanentError, match="expected items with tags"):
            fitted(catalogue, tags="taxonomy")

    def test_the_user_is_the_sum_of_the_taxonomys_own_vectors(self, tagged: Catalogue):
        model = fitted(tagged)
        history = make_histories([[(0, 1.0, 1.0), (1, 1.0, 2.0), (2, 1.0, 3.0)]], 4)
        np.testing.assert_allclose(model.profile(history), [[1.75 / 3, 1.25 / 3]], atol=1e-6)
        u = np.array([1.75, 1.25]) / np.hypot(1.75, 1.25)
        np.testing.assert_allclose(model.score(history)[0], CROSS @ u, atol=1e-6)

    def test_items_are_seen_from_the_middle_of_the_taxonomy(self, catalogue: Catalogue):
        mean = np.array([0.0, 0.5], dtype=np.float32)
        told = self.told([[0.9, 0], [0, 0.5], [0.6, 0.2], [0, 0]], mean=mean)
        model = fitted(replace(catalogue, tags=told))
        moved = CROSS - mean
        expected = moved / np.linalg.norm(moved, axis=1, keepdims=True)
        np.testing.assert_allclose(model.texts.rows, expected, atol=1e-6)

    def test_only_the_strongest_tags_of_an_item_count_when_asked(self, tagged: Catalogue):
        carried = fitted(tagged, tags_per_item=1).tags.carried.toarray()
        np.testing.assert_allclose(carried, [[1, 0], [0, 1], [1, 0], [0, 0]], atol=1e-6)

    def test_rare_tags_count_more_when_asked(self, tagged: Catalogue):
        plain, rare = fitted(tagged), fitted(tagged, rarity=1.0)
        # war lies on items with 1.5 in all, fun on 0.7: fun is the rarer
        assert rare.tags.carried[2, 1] > plain.tags.carried[2, 1]
        np.testing.assert_allclose(rare.tags.carried[:3].sum(axis=1), 1.0, atol=1e-6)

    def test_a_tag_that_lies_on_everything_draws_nowhere(self, catalogue: Catalogue):
        told = self.told([[0.9, 0.9], [0.9, 0], [0.9, 0], [0.9, 0]])
        model = fitted(replace(catalogue, tags=told), centre=True)
        history = make_histories([[(0, 1.0, 1.0)]], 4)
        # the usual item is 7/8 war and 1/8 fun; this user is half each, so fun sets them apart
        np.testing.assert_allclose(model.tags.middle, [0.875, 0.125], atol=1e-6)
        u = np.array([0.5 - 0.875, 0.5 - 0.125])
        np.testing.assert_allclose(
            model.score(history)[0], CROSS @ u / np.linalg.norm(u), atol=1e-6
        )

    def test_a_tags_vector_can_be_the_mean_of_its_items(self, tagged: Catalogue):
        model = fitted(tagged, vectors="items")
        war = CROSS[0] + 0.75 * CROSS[2]
        np.testing.assert_allclose(model.tags.vectors[0], war / np.linalg.norm(war), atol=1e-6)
        nowhere = self.told([[0.9, 0], [0, 0], [0, 0], [0, 0]])
        kept = fitted(replace(tagged, tags=nowhere), vectors="items").tags.vectors[1]
        np.testing.assert_array_equal(kept, [0, 1])

    def test_the_matching_items_are_those_above_the_threshold(self, tagged: Catalogue):
        history = make_histories([[(0, 1.0, 1.0), (1, 1.0, 2.0)]], 4)
        found = fitted(tagged, threshold=0.3).matching(history)
        assert [place for place, _ in found] == [0, 1]
        assert [cosine for _, cosine in found] == pytest.approx([0.5**0.5] * 2)
        assert fitted(tagged, threshold=0.8).matching(history) == []

    def test_reasons_name_the_tags_that_user_and_item_share(self, tagged: Catalogue):
        history = make_histories([[(0, 1.0, 1.0), (1, 1.0, 2.0)]], 4)
        (found,) = fitted(tagged).explain(history, 0)
        assert found.tags == ("War",)
        against = make_histories([[(0, -1.0, 1.0), (1, 1.0, 2.0)]], 4)
        assert fitted(tagged).explain(against, 0)[0].tags == ()

    def test_clusters_have_no_names_to_give_as_a_reason(self, tagged: Catalogue):
        history = make_histories([[(0, 1.0, 1.0)]], 4)
        (found,) = fitted(tagged, tags="clusters", clusters=2).explain(history, 0)
        assert found.tags == ()

    def test_a_new_item_carries_its_tags_by_id_whatever_their_order(self, tagged: Catalogue):
        told = self.told(
            [[0, 0, 0], [0.2, 0.4, 0.4]],
            tag_ids=("tag:new", "tag:fun", "tag:war"),
            names=("New", "Fun", "War"),
            vectors=np.eye(3, 2, dtype=np.float32),
        )
        vectors = np.array([[1, 0], [0, 1]], dtype=np.float32)
        new = Catalogue(item_ids=("a", "e"), vectors=vectors, tags=told)
        moved = fitted(tagged).with_catalogue(tagged, new)
        np.testing.assert_allclose(moved.tags.carried.toarray(), [[1, 0], [0.5, 0.5]], atol=1e-6)

    def test_its_state_gives_the_same_scores_and_tags(self, tagged: Catalogue):
        options = {"rarity": 0.5, "centre": True}
        model = fitted(tagged, **options)
        again = build_backend("recommenders", "interest_profile", PLAIN | options)
        again.load_state(*model.state())
        history = make_histories([[(0, 1.0, 1.0), (2, 1.0, 2.0)]], 4)
        np.testing.assert_array_equal(again.score(history), model.score(history))
        assert (again.kind, again.tags.tag_ids) == ("taxonomy", self.IDS)
        assert again.explain(history, 0) == model.explain(history, 0)

    def test_a_state_from_before_there_was_a_taxonomy_still_answers(self, catalogue: Catalogue):
        model = fitted(catalogue)
        arrays, values = model.state()
        del arrays["counts"], arrays["middle"]
        again = build_backend("recommenders", "interest_profile", PLAIN)
        again.load_state(arrays, {"names": values["names"]})
        history = make_histories([[(0, 1.0, 1.0)]], 4)
        np.testing.assert_array_equal(again.score(history), model.score(history))
