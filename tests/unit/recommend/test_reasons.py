from __future__ import annotations

from plmrec.recommend.reasons import ItemFacts, PartKinds, explain_item
from plmrec.recommenders.base import Contribution
from plmrec.types import Passage

KINDS = PartKinds(
    reads_text=frozenset({"content"}),
    same_for_all=frozenset({"popularity", "recent_popularity"}),
    profiles=frozenset({"interest_profile"}),
)
FACTS = [
    ItemFacts(item_id="a", title="Heat", genres=("crime",), creators=("Mann",)),
    ItemFacts(item_id="b", title="Ronin", genres=("crime", "thriller")),
    ItemFacts(item_id="c", title="Amelie", genres=("romance",)),
]
ITEM = ItemFacts(item_id="z", title="Thief", genres=("crime",), creators=("Mann",))
PLAIN = ItemFacts(item_id="y", title="Untagged")
SPOKEN = Passage(text="the vault opens", start_s=3671.0, end_s=3690.0)
WRITTEN = Passage(text="a safecracker wants out")


def explain(*contributions, item=ITEM, liked=(0, 1, 2), passage=None):
    return explain_item(
        item,
        contributions=contributions,
        kinds=KINDS,
        liked=set(liked),
        facts=FACTS,
        passage=passage,
    )


def part(name, *items, value=1.0):
    return Contribution(part=name, value=value, items=items)


class TestNeighbours:
    def test_names_the_two_liked_items_that_add_most(self):
        reason = explain(part("ease", (1, 0.5), (0, 0.3), (2, 0.1)))
        assert reason.kind == "neighbours"
        assert reason.text == "Because you liked “Ronin” and “Heat”"
        assert reason.item_ids == ("b", "a")

    def test_never_names_an_item_that_was_not_liked_or_speaks_against_it(self):
        reason = explain(part("ease", (1, 0.5), (0, -0.3), (2, 0.1)), liked=(0, 2))
        assert reason.item_ids == ("c",)

    def test_a_liked_item_that_adds_little_is_not_named_beside_a_strong_one(self):
        assert explain(part("ease", (1, 0.5), (0, 0.2))).item_ids == ("b",)

    def test_the_strongest_part_with_evidence_wins(self):
        reason = explain(
            part("popularity", value=3.0), part("item_knn", (2, 0.2)), part("ease", (0, 0.1))
        )
        assert reason.item_ids == ("c",)


class TestContent:
    def test_speech_is_quoted_with_its_time_span(self):
        reason = explain(part("content", (0, 1.0)), passage=SPOKEN)
        assert reason.kind == "passage"
        assert reason.text == "At 1:01:11 it says “the vault opens”, close to “Heat”"
        assert (reason.start_s, reason.end_s) == (3671.0, 3690.0)

    def test_shared_creators_come_before_shared_genres(self):
        reason = explain(part("content", (0, 1.0)), passage=WRITTEN)
        assert reason.kind == "tags"
        assert reason.text == "By Mann, like “Heat”, which you liked"

    def test_shared_genres_name_the_item_that_shares_them(self):
        reason = explain(part("content", (2, 1.0), (1, 0.5)), passage=WRITTEN)
        assert reason.text == "Crime, like “Ronin”, which you liked"
        assert reason.item_ids == ("b",)

    def test_without_shared_tags_the_written_passage_is_quoted_without_a_time(self):
        reason = explain(part("content", (0, 1.0)), item=PLAIN, passage=WRITTEN)
        assert reason.text == "It says “a safecracker wants out”, close to “Heat”"
        assert reason.start_s is None

    def test_without_any_passage_it_says_what_it_is_close_to(self):
        reason = explain(part("content", (0, 1.0)), item=PLAIN)
        assert (reason.kind, reason.text) == ("neighbours", "Close to “Heat”")


class TestTags:
    ALIEN = ItemFacts(item_id="n", title="Alien", genres=("horror",), tags=("Space", "Dread"))
    MOON = ItemFacts(item_id="m", title="Moon", genres=("drama",), tags=("Solitude", "Space"))
    SOLARIS = ItemFacts(item_id="s", title="Solaris", tags=("Space", "Dread", "Solitude"))

    def explain(self, *contributions, item=SOLARIS, passage=None):
        return explain_item(
            item,
            contributions=contributions,
            kinds=KINDS,
            liked={0, 1},
            facts=[self.ALIEN, self.MOON],
            passage=passage,
        )

    def profile(self, *tags, items=((0, 1.0), (1, 0.9))):
        return Contribution(part="interest_profile", value=1.0, items=items, tags=tags)

    def test_of_the_profile_are_named_with_an_item_that_has_all_of_them(self):
        reason = self.explain(self.profile("Dread", "Space"))
        assert reason.kind == "tags"
        assert reason.text == "Matches your interest in Dread and Space, like “Alien”"
        assert (reason.tags, reason.item_ids) == (("Dread", "Space"), ("n",))

    def test_that_only_the_item_or_only_the_users_own_items_have_are_not_claimed(self):
        reason = self.explain(self.profile("Solitude", "Westerns"))
        assert (reason.tags, reason.item_ids) == (("Solitude",), ("m",))

    def test_of_the_profile_may_be_genres_where_there_is_no_taxonomy(self):
        item = ItemFacts(item_id="t", title="The Thing", genres=("horror",))
        reason = self.explain(self.profile("horror"), item=item)
        assert reason.text == "Matches your interest in horror, like “Alien”"

    def test_without_a_shared_one_the_profile_quotes_the_text(self):
        item = ItemFacts(item_id="t", title="The Thing", tags=("Ice",))
        assert self.explain(self.profile("Space"), item=item, passage=WRITTEN).kind == "passage"

    def test_of_the_taxonomy_come_before_genres_when_texts_are_alike(self):
        item = ItemFacts(item_id="t", title="The Thing", genres=("horror",), tags=("Dread", "Ice"))
        reason = self.explain(part("content", (0, 1.0)), item=item)
        assert reason.text == "Dread, like “Alien”, which you liked"
        assert reason.tags == ("Dread",)


class TestPopular:
    def test_is_said_when_nothing_the_user_liked_speaks_for_the_item(self):
        reason = explain(part("popularity", value=2.0))
        assert (reason.kind, reason.text) == ("popular", "Popular with others lately")

    def test_is_not_claimed_of_an_item_that_no_part_raises(self):
        assert explain(part("popularity", value=-2.0)).text == "It completes the list"

    def test_a_part_that_reads_what_was_not_liked_names_no_item(self):
        reason = explain(part("als_seen", (1, 0.5)), part("popularity", value=0.1), liked=())
        assert (reason.kind, reason.item_ids) == ("neighbours", ("b",))
        assert reason.text == "Others with a history like yours chose it"

    def test_a_liked_item_behind_a_low_score_is_a_better_reason_than_none(self):
        reason = explain(part("popularity", value=-0.5), part("ease", (0, 0.5), value=-1.0))
        assert reason.item_ids == ("a",)

    def test_a_part_that_raises_the_item_comes_before_one_that_does_not(self):
        reason = explain(part("ease", (0, 0.5), value=-1.0), part("item_knn", (1, 0.1)))
        assert reason.item_ids == ("b",)


def test_long_titles_and_quotes_are_cut_at_a_space():
    facts = [ItemFacts(item_id="a", title="word " * 30)]
    reason = explain_item(
        PLAIN,
        contributions=(part("content", (0, 1.0)),),
        kinds=KINDS,
        liked={0},
        facts=facts,
        passage=Passage(text="speech " * 60),
    )
    assert len(reason.text) < 240
    assert "word…”" in reason.text
    assert "speech…”" in reason.text
