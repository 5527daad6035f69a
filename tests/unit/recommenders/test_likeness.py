from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plmrec.histories import Catalogue, TrainingData
from plmrec.recommenders._likeness import Aspects, Likeness, learn_likeness
from tests.support.tastes import make_data

FOUR = Catalogue(
    item_ids=("a", "b", "c", "d"),
    vectors=np.array([[1, 0], [1, 0], [-1, 0], [0, 1]], dtype=np.float32),
    cast=(("Ann", "Bob"), ("Ann",), ("Bob", "Cy"), ()),
    titles=("The Long Road", "Long Road II", "Hill", ""),
    published_at=np.array([0.0, 0.0, 1e9, np.nan]),
)


def aspects(catalogue: Catalogue) -> dict[str, np.ndarray]:
    everything = np.arange(catalogue.n_items)
    return dict(Aspects(catalogue).each(everything, everything))


class TestAspects:
    def test_texts_are_compared_without_what_all_of_them_share(self):
        vectors = np.array([[1, 0.1], [1, -0.1], [0, 0]], dtype=np.float32)
        text = aspects(Catalogue(item_ids=("a", "b", "c"), vectors=vectors))["text"]
        np.testing.assert_allclose(text, [[1, -1, 0], [-1, 1, 0], [0, 0, 0]], atol=1e-5)

    def test_a_shared_name_counts_by_how_rare_it_is_and_none_shared_is_0(self):
        cast = aspects(FOUR)["cast"]
        assert 0 < cast[0, 1] < 1
        assert cast[1, 2] == 0.0
        assert not cast[3].any()

    def test_titles_are_alike_in_runs_of_letters_whatever_the_language(self):
        many = [f"{word} {number}" for word in ("犬の散歩", "лесная дорога") for number in range(9)]
        filler = [chr(0x4E00 + 3 * n) * 3 for n in range(2000)]
        titles = (*many, *filler)
        catalogue = Catalogue(item_ids=tuple(map(str, range(len(titles)))), titles=titles)
        words = Aspects(catalogue).each(np.arange(18), np.arange(18))[0][1]
        assert words[0, 1:9].min() > words[0, 9:].max()

    def test_age_is_1_for_the_same_day_and_falls_with_the_deviations_between(self):
        age = aspects(FOUR)["age"]
        spread = np.std([0.0, 0.0, 1e9])
        assert age[0, 1] == 1.0
        assert age[0, 2] == pytest.approx(np.exp(-1e9 / spread), rel=1e-5)

    def test_the_square_keeps_the_sign(self):
        found = aspects(FOUR)
        np.testing.assert_allclose(
            found["text_squared"], np.sign(found["text"]) * found["text"] ** 2, atol=1e-6
        )

    def test_what_a_catalogue_lacks_is_no_aspect(self):
        assert aspects(Catalogue(item_ids=("a", "b"))) == {}


class TestNearest:
    def test_weighs_by_the_square_of_what_is_above_the_mean(self):
        likeness = Likeness(weights={"cast": 1.0})
        found = likeness.nearest(
            FOUR, queries=np.array([0]), among=np.array([1, 2, 3]), n_neighbours=3
        ).toarray()[:, 0]
        cast = aspects(FOUR)["cast"][0, 1:]
        expected = np.maximum(cast - cast.mean(), 0.0) ** 2
        np.testing.assert_allclose(found[1:], expected, rtol=1e-5)
        assert found[0] == 0.0

    def test_keeps_the_nearest_of_those_allowed_and_never_the_item_itself(self):
        data = make_data()
        likeness, allowed = Likeness(weights={"text": 1.0}), np.arange(0, 40, 2)
        found = likeness.nearest(
            data.catalogue, queries=np.array([4, 5]), among=allowed, n_neighbours=3
        ).toarray()
        text = aspects(data.catalogue)["text"]
        for column, query in enumerate((4, 5)):
            others = allowed[allowed != query]
            best = others[np.argsort(-text[query, others])[:3]]
            assert set(np.flatnonzero(found[:, column])) == set(best)


class TestLearning:
    def test_an_aspect_that_tells_tastes_outweighs_one_that_does_not(self):
        data = make_data(n_users=300, n_items=80, n_cold=0, per_user=12)
        groups = np.arange(80) % 4
        rng = np.random.default_rng(0)
        data = replace(
            data,
            catalogue=replace(
                data.catalogue,
                vectors=None,
                creators=tuple((f"studio {group}",) for group in groups),
                cast=tuple((f"actor {number}",) for number in rng.integers(0, 4, 80)),
            ),
        )
        weights = learn_likeness(data).weights
        assert weights["creators"] > 10 * weights["cast"]

    def test_no_weight_is_negative(self):
        assert min(learn_likeness(make_data(n_users=200, n_items=70)).weights.values()) >= 0

    def test_without_evidence_the_weights_stay_as_they_come(self):
        data = make_data()
        none = data.with_histories(data.histories.keep(~data.histories.is_positive))
        assert learn_likeness(none).weights["text"] == 1.0

    def test_nothing_written_and_much_liked_still_learns(self):
        data = make_data(n_users=300, n_items=80, n_cold=0)
        bare = TrainingData(
            catalogue=Catalogue(item_ids=data.catalogue.item_ids),
            histories=data.histories,
            now=data.now,
        )
        assert learn_likeness(bare).weights["text"] == 1.0
