"""Tags: where they come from, what they are worth, and that topics keep their names."""

from __future__ import annotations

import numpy as np
import pytest

from plmrec.errors import ParamsError
from plmrec.tags import Tag
from plmrec.understanding.corpus import count_words
from plmrec.understanding.tag_lists import curated_tags, label_tags, mined_tags, slug
from plmrec.understanding.taxonomy import TagSources, build_taxonomy, centre, tag_items
from plmrec.understanding.topics import assign_topics, find_topics

DIM = 24
*CENTRES, SHARED = np.linalg.qr(np.random.default_rng(0).normal(size=(DIM, DIM)))[0][:4]


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def three_kinds(n_items=300, seed=1):
    """Items of three kinds in turn, in a space where all vectors share a direction."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(n_items) % 3
    vectors = np.array(CENTRES)[kinds] + 2 * SHARED + 0.12 * rng.normal(size=(n_items, DIM))
    return kinds, unit(vectors)


def encode(texts):
    """Words point nowhere in particular."""
    rng = np.random.default_rng(len(texts))
    return unit(rng.normal(size=(len(texts), DIM)))


def sources(kinds, vectors, **more):
    tags, carriers = label_tags([[f"Kind {kind}"] for kind in kinds], "genre", min_items=5)
    curated = [Tag(tag_id=f"curated:{n}", name=str(n), origin="curated") for n in range(8)]
    return TagSources(tags=[*curated, *tags], carriers=carriers, vectors=vectors, tail=0.05, **more)


def build(kinds, vectors, version=1):
    return build_taxonomy(sources(kinds, vectors), version=version, fingerprint="f", encode=encode)


class TestLists:
    def test_the_list_of_plmrec_has_sixty_tags_and_more_with_words(self):
        tags, digest = curated_tags(None)
        assert len(tags) >= 60
        assert all(tag.words and tag.tag_id.startswith("curated:") for tag in tags)
        assert digest == curated_tags(None)[1]

    def test_a_list_of_ones_own(self, tmp_path):
        file = tmp_path / "tags.yaml"
        file.write_text("- {id: knots, name: Knots, words: [rope, sailor]}\n")
        (tag,), _ = curated_tags(str(file))
        assert tag == Tag(
            tag_id="curated:knots", name="Knots", origin="curated", words=("rope", "sailor")
        )

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("- {id: a}", "name"),
            ("- {id: a, name: A, colour: red}", "colour"),
            ("- {id: a, name: A}\n- {id: a, name: B}", "twice"),
            ("{", "YAML"),
        ],
    )
    def test_a_bad_list_is_refused_with_the_reason(self, tmp_path, text, said):
        file = tmp_path / "tags.yaml"
        file.write_text(text)
        with pytest.raises(ParamsError, match=said):
            curated_tags(str(file))

    def test_labels_need_enough_items_and_spellings_are_one(self):
        labels = [["Sci-Fi"], ["sci fi", "Drama"], ["Sci-Fi", "Sci-Fi"], []]
        tags, carriers = label_tags(labels, "genre", min_items=2)
        assert [(tag.tag_id, tag.name) for tag in tags] == [("genre:sci-fi", "Sci-Fi")]
        assert carriers["genre:sci-fi"].tolist() == [0, 1, 2]
        assert slug("Ünï & Codé") == "ünï-codé"

    def test_mined_tags_are_words_whose_items_are_alike(self):
        kinds, vectors = three_kinds()
        words = ("whale", "bread", "chess")
        texts = [
            f"{words[kind]} today" if n % 2 else "nothing today" for n, kind in enumerate(kinds)
        ]
        tags, carriers = mined_tags(texts, centre(vectors, vectors.mean(axis=0)), most=5, known=[])
        assert {tag.name for tag in tags} == {"Whale", "Bread", "Chess"}
        assert all(len(places) == 50 for places in carriers.values())
        known, _ = mined_tags(texts, centre(vectors, vectors.mean(axis=0)), most=5, known=["Whale"])
        assert {tag.name for tag in known} == {"Bread", "Chess"}


class TestStrength:
    def test_an_item_without_labels_gets_the_genre_of_those_like_it(self):
        kinds, vectors = three_kinds()
        taxonomy = build(kinds, vectors)
        new_kinds, new = three_kinds(seed=2)
        found = tag_items(taxonomy, new, [[]] * len(new), min_strength=0.5, max_tags=20)
        for kind, tags in zip(new_kinds, found, strict=True):
            genres = [tag.tag_id for tag in tags if tag.tag_id.startswith("genre:")]
            assert genres == [f"genre:kind-{kind}"]

    def test_a_label_has_strength_one_whatever_the_words_say(self):
        kinds, vectors = three_kinds()
        found = tag_items(
            build(kinds, vectors), vectors[:1], [["genre:kind-2", "genre:unknown"]],
            min_strength=0.5, max_tags=20,
        )  # fmt: skip
        first = found[0][0]
        assert (first.tag_id, first.strength, first.is_label) == ("genre:kind-2", 1.0, True)
        assert "genre:unknown" not in {tag.tag_id for tag in found[0]}

    def test_a_tag_without_labels_is_carried_by_at_most_the_tail(self):
        kinds, vectors = three_kinds()
        found = tag_items(build(kinds, vectors), vectors, [[]] * 300, min_strength=0.5, max_tags=20)
        for number in range(8):
            carried = sum(f"curated:{number}" in {tag.tag_id for tag in tags} for tags in found)
            assert carried <= 0.05 * 300 + 1

    def test_vectors_are_units_and_the_digest_is_that_of_the_content(self):
        kinds, vectors = three_kinds()
        taxonomy = build(kinds, vectors)
        assert np.allclose(np.linalg.norm(taxonomy.vectors, axis=1), 1, atol=1e-5)
        assert (taxonomy.scales > 0).all()
        assert build(kinds, vectors, version=2).digest == taxonomy.digest
        assert build(kinds[::-1], vectors).digest != taxonomy.digest

    @pytest.mark.parametrize("n_items", [0, 1, 2, 5])
    def test_a_tiny_corpus_has_tags_too(self, n_items):
        kinds, vectors = three_kinds(n_items)
        taxonomy = build(kinds, vectors if n_items else np.zeros((0, 1), np.float32))
        assert taxonomy.n_tags == 8
        assert np.isfinite(taxonomy.offsets).all()


class TestTopics:
    TEXTS = ("whale ocean song", "bread flour oven", "chess king queen")

    def find(self, n_items=300, seed=1, before=None, version=1):
        kinds, vectors = three_kinds(n_items, seed)
        texts = [self.TEXTS[kind] for kind in kinds]
        return find_topics(
            texts, vectors, version=version, fingerprint="f", corpus=count_words(texts),
            max_topics=3, seed=7, before=before,
        )  # fmt: skip

    def test_labels_are_the_words_that_tell_a_topic_from_the_others(self):
        labels = {frozenset(label.split(", ")) for label in self.find().labels}
        assert labels == {frozenset(text.split()) for text in self.TEXTS}

    def test_ids_stay_when_the_corpus_grows(self):
        first = self.find()
        second = self.find(n_items=400, seed=5, before=first, version=2)
        by_words = {
            frozenset(label.split(", ")): name
            for name, label in zip(first.ids, first.labels, strict=True)
        }
        for name, label in zip(second.ids, second.labels, strict=True):
            assert by_words[frozenset(label.split(", "))] == name
        assert second.next_id == first.next_id

    def test_a_topic_that_is_new_gets_an_id_nobody_had(self):
        first = self.find()
        _, vectors = three_kinds()
        other = find_topics(
            ["snow"] * 300, -vectors, version=2, fingerprint="f",
            corpus=count_words([]), max_topics=3, seed=7, before=first,
        )  # fmt: skip
        assert not set(other.ids) & set(first.ids) or other.next_id > first.next_id

    def test_the_same_corpus_gives_the_same_topics(self):
        assert self.find().digest == self.find().digest

    def test_items_are_given_the_nearest_topic(self):
        topics = self.find()
        kinds, vectors = three_kinds(seed=3)
        found = assign_topics(topics, vectors)
        near = [(kind, topic.label) for kind, topic in zip(kinds, found, strict=True) if topic]
        assert len(near) > 280
        for kind, label in near:
            assert set(label.split(", ")) == set(self.TEXTS[kind].split())

    @pytest.mark.parametrize("n_items", [0, 1, 2])
    def test_a_tiny_corpus_has_few_topics(self, n_items):
        topics = self.find(n_items)
        assert len(topics.ids) == min(n_items, 1)
