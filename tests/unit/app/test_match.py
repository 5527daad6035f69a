from __future__ import annotations

import pytest

from plmrec.app.match import match
from plmrec.errors import MissingStageError, ParamsError
from tests.support.tagged import write_tagged


@pytest.fixture
def settings(tmp_settings):
    write_tagged(tmp_settings.workspace)
    return tmp_settings


@pytest.mark.parametrize("words", ["genre:whales", "GENRE:Whales", "Whales", " whales "])
def test_a_tag_is_found_by_id_or_name_in_any_case(settings, words):
    found = match(words, settings=settings)
    assert found["tag_id"] == "genre:whales"
    assert [row["item_id"] for row in found["items"]] == ["sea", "song"]
    assert [row["strength"] for row in found["items"]] == pytest.approx([0.9, 0.6])


def test_the_passage_is_the_one_nearest_to_the_tag_with_its_time(settings):
    sea, song = match("whales", settings=settings)["items"]
    assert (sea["passage"], sea["start_s"], sea["end_s"]) == ("song", 72.0, 81.0)
    assert (song["passage"], song["start_s"]) == ("Song", None)  # it has no other than its title


def test_k_items_are_listed_and_all_are_counted(settings):
    found = match("whales", 1, settings=settings)
    assert (len(found["items"]), found["n_items"]) == (1, 2)
    assert found["taxonomy"] == {"version": 1, "digest": "7a901"}
    assert found["encoder"]["name"] == "test"


def test_an_unknown_tag_is_told_the_names_near_it(settings):
    with pytest.raises(ParamsError, match=r"got 'wales'.*Near it: Whales \(genre:whales\)"):
        match("wales", settings=settings)
    with pytest.raises(ParamsError, match=r"got 'bread'.*Near it: Baking \(curated:baking\)"):
        match("bread", settings=settings)  # one of the words that say what it means
    with pytest.raises(ParamsError, match="expected a tag of taxonomy version 1, got 'zzzzzz'"):
        match("zzzzzz", settings=settings)


def test_of_two_tags_of_a_name_one_is_listed_and_the_other_is_told(settings):
    found = match("baking", settings=settings)
    assert (found["tag_id"], found["also"]) == ("curated:baking", ["creator:chess"])
    assert (match("creator:chess", settings=settings)["n_items"], found["n_items"]) == (0, 2)


def test_without_tags_it_says_what_to_run(tmp_settings):
    write_tagged(tmp_settings.workspace, with_tags=False)
    with pytest.raises(MissingStageError, match="plmrec understand"):
        match("whales", settings=tmp_settings)
