from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from plmrec.histories import Catalogue, Histories
from plmrec.metrics.lists import NO_ITEM
from plmrec.recommend.lists import FALLBACK, rank_items
from plmrec.recommend.one_user import recommend_items
from plmrec.recommend.reasons import ItemFacts
from plmrec.recommend.release import LoadedRelease
from plmrec.recommenders.base import Contribution
from plmrec.recommenders.blend import Blend, Options, Part
from plmrec.types import Passage

N_ITEMS = 6
ITEM_IDS = tuple("abcdef")


@dataclass
class FixedScores:
    """A recommender that gives every user the same scores, because of the same items."""

    scores: list[float]
    items: tuple[tuple[int, float], ...] = ()
    tags: tuple[str, ...] = ()

    def score(self, histories):
        return np.tile(np.array(self.scores, dtype=np.float32), (histories.n_users, 1))

    def explain(self, history, item):
        return (Contribution(part="fixed", value=1.0, items=self.items, tags=self.tags),)


UP = [1.0, 2, 3, 4, 5, 6]


def release_of(scores=UP, *, content=(0.0,) * N_ITEMS, because=(), share=0.0):
    """A release whose blend is one fixed part, a share of content, and popularity."""
    options = Options(
        parts={name: Part(backend=name) for name in ("ease", "content", "recent_popularity")},
        weights={"recent": {"ease": 1.0 - share, "content": share}},
    )
    parts = {
        "ease": FixedScores(list(scores), because),
        "content": FixedScores(list(content), because),
        "recent_popularity": FixedScores([6, 5, 4, 3, 2, 0]),
    }
    return LoadedRelease(
        version="3",
        blend=Blend(options=options, parts=parts, liked=np.ones(N_ITEMS, dtype=np.bool_)),
        catalogue=Catalogue(item_ids=ITEM_IDS, vectors=np.eye(N_ITEMS, dtype=np.float32)),
        now=0.0,
    )


def histories_of(*rows):
    """Rows of {item place: weight}."""
    entries = [(u, i, w) for u, row in enumerate(rows) for i, w in row.items()]
    users, items, weights = (
        (np.array(part) for part in zip(*entries, strict=True))
        if entries
        else (np.empty(0, dtype=np.int64),) * 3
    )
    return Histories.build(
        user_ids=[f"u{number}" for number in range(len(rows))],
        n_items=N_ITEMS,
        users=users.astype(np.int64),
        items=items.astype(np.int64),
        weights=weights.astype(np.float64),
        times=np.arange(len(users), dtype=np.float64),
    )


FACTS = [ItemFacts(item_id=item_id, title=item_id.upper()) for item_id in ITEM_IDS]


def recommend(release, history, k=3, passages=None):
    return recommend_items(
        release, history, k=k, facts=FACTS, find_passages=lambda ids, vector: passages or {}
    )


class TestRankItems:
    def test_exactly_k_unseen_items_come_back_best_first(self):
        release = release_of()
        lists = rank_items(release, histories_of({5: 1.0, 4: 1.0}), k=3)
        assert lists.items.tolist() == [[3, 2, 1]]

    def test_disliked_and_neutral_items_count_as_seen(self):
        release = release_of()
        lists = rank_items(release, histories_of({5: -1.0, 4: 0.0, 0: 1.0}), k=2)
        assert lists.items.tolist() == [[3, 2]]

    def test_a_list_is_shorter_only_when_fewer_items_are_unseen(self):
        release = release_of()
        lists = rank_items(release, histories_of({0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0}), k=3)
        assert lists.items.tolist() == [[5, 4, NO_ITEM]]

    def test_users_who_liked_nothing_get_the_fallback_without_what_they_saw(self):
        release = release_of()
        lists = rank_items(release, histories_of({}, {0: -1.0}, {0: 1.0}), k=2)
        assert lists.items.tolist() == [[0, 1], [1, 2], [5, 4]]
        assert lists.is_fallback.tolist() == [True, True, False]

    def test_k_above_the_catalogue_returns_all_of_it(self):
        lists = rank_items(release_of(), histories_of({}), k=10)
        assert (lists.items != NO_ITEM).sum() == N_ITEMS


class TestRecommendItems:
    def test_an_unknown_user_is_told_that_it_is_popularity(self):
        found = recommend(release_of(), histories_of({}), k=6)
        assert {each.source for each in found} == {FALLBACK}
        assert {each.reason.kind for each in found} == {"popular"}
        assert found[0].reason.text != found[-1].reason.text  # the last one nobody liked

    def test_ranks_count_from_one_and_carry_the_release(self):
        found = recommend(release_of(), histories_of({0: 1.0}))
        assert [each.rank for each in found] == [1, 2, 3]
        assert {each.release for each in found} == {"3"}
        assert [each.item_id for each in found] == ["f", "e", "d"]

    def test_the_source_is_the_part_that_added_most(self):
        release = release_of(content=[0, 0, 0, 0, 9, 0], share=0.5, because=((0, 1.0),))
        found = recommend(release, histories_of({0: 1.0}))
        assert [(each.item_id, each.source) for each in found] == [
            ("e", "content"),
            ("f", "ease"),
            ("d", "ease"),
        ]
        assert [each.reason.kind for each in found] == ["neighbours"] * 3

    def test_popularity_is_no_source_where_a_personal_part_raises_the_item(self):
        release = release_of(because=((0, 1.0),))
        release.blend.options.weights["recent"]["recent_popularity"] = 5.0
        found = recommend(release, histories_of({0: 1.0}), k=5)
        sources = {each.item_id: each.source for each in found}
        # ease raises f and e above its own average and holds b and c below it
        assert (sources["f"], sources["b"]) == ("ease", "recent_popularity")

    def test_passages_are_sought_near_what_the_user_liked(self):
        asked = []

        def find(item_ids, vector):
            asked.append((list(item_ids), vector))
            return {}

        release = release_of()
        history = histories_of({0: 1.0, 1: 1.0, 2: -1.0})
        recommend_items(release, history, k=2, facts=FACTS, find_passages=find)
        ((item_ids, vector),) = asked
        assert item_ids == ["f", "e"]
        np.testing.assert_allclose(vector, [0.5**0.5, 0.5**0.5, 0, 0, 0, 0], atol=1e-6)

    def test_a_spoken_passage_brings_its_time_span(self):
        passage = Passage(text="whales sing at night", start_s=75.0, end_s=80.5)
        found = recommend(
            release_of(content=UP, share=1.0, because=((0, 1.0),)),
            histories_of({0: 1.0}),
            k=1,
            passages={"f": passage},
        )
        reason = found[0].reason
        assert (reason.kind, reason.start_s, reason.end_s) == ("passage", 75.0, 80.5)
        assert reason.text == "At 1:15 it says “whales sing at night”, close to “A”"


@pytest.mark.parametrize("k", [1, 3, 6])
def test_lists_of_a_block_equal_lists_of_single_users(k):
    release = release_of([3, 1, 4, 1, 5, 9])
    block = histories_of({0: 1.0}, {5: 1.0, 2: -1.0}, {})
    together = rank_items(release, block, k)
    for row in range(block.n_users):
        alone = rank_items(release, block.block(row, row + 1), k)
        assert alone.items.tolist() == together.items[row : row + 1].tolist()


def test_a_part_that_weighs_interests_names_the_tags_that_both_share():
    options = Options(
        parts={
            "taste": Part(backend="interest_profile"),
            "recent_popularity": Part(backend="recent_popularity"),
        },
        weights={"recent": {"taste": 1.0, "recent_popularity": 0.0}},
    )
    taste = FixedScores(UP, ((0, 1.0),), ("Whales", "Song"))
    parts = {"taste": taste, "recent_popularity": FixedScores([0.0] * N_ITEMS)}
    liked = np.ones(N_ITEMS, dtype=np.bool_)
    blend = Blend(options=options, parts=parts, liked=liked)
    catalogue = Catalogue(item_ids=ITEM_IDS)
    release = LoadedRelease(version="3", blend=blend, catalogue=catalogue, now=0.0)
    facts = [ItemFacts(item_id=i, title=i.upper(), tags=("Whales",)) for i in ITEM_IDS]
    found = recommend_items(
        release, histories_of({0: 1.0}), k=1, facts=facts, find_passages=lambda *_: {}
    )
    assert found[0].reason.text == "Matches your interest in Whales, like “A”"
    assert found[0].reason.tags == ("Whales",)
