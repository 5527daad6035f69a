"""From raw records to typed rows."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from plmrec.stages.normalise import SCHEMAS, normalise_interaction, normalise_item, normalise_user
from plmrec.stages.raw_records import Record

MAX_CHARS = 100


def item(**values):
    row = normalise_item(Record(number=1, values=values), MAX_CHARS)
    return dict(zip(SCHEMAS["items"].names, row, strict=True))


def interaction(**values):
    row = normalise_interaction(Record(number=1, values=values), MAX_CHARS)
    return dict(zip(SCHEMAS["interactions"].names, row, strict=True))


class TestItems:
    def test_a_row_is_the_same_whatever_format_it_came_from(self):
        jsonl = item(item_id=7, kind="video", title="A", genres=["x", "y"], duration_s=3)
        csv = item(item_id="7", kind=" Video", title="A ", genres="x|y", duration_s="3.0")
        assert jsonl | {"longest_text": 0} == csv | {"longest_text": 0}

    def test_unknown_columns_are_kept_as_json(self):
        row = item(item_id="1", title="A", studio="Łódź", budget=float("inf"), nothing=None)
        assert json.loads(row["extra"]) == {"studio": "Łódź", "budget": "inf"}

    def test_a_number_is_a_title_but_a_list_is_not(self):
        assert item(title=1984)["title"] == "1984"
        assert item(title=["a"])["wrong_type"] == "title: expected a text, got ['a']"

    def test_the_longest_text_is_measured_before_cleaning(self):
        row = item(title="A", description="<b>" * 100)
        assert row["longest_text"] == 300

    def test_equal_rows_have_equal_content_and_others_do_not(self):
        assert item(item_id="1", title="A")["content"] == item(title=" A", item_id=1)["content"]
        assert item(item_id="1", title="A")["content"] != item(item_id="1", title="B")["content"]


class TestInteractions:
    def test_the_value_of_a_comment_is_words(self):
        row = interaction(event="comment", value="so <b>good</b>", timestamp="2024-01-01")
        assert (row["value"], row["text"]) == (None, "so good")

    def test_the_value_of_a_rating_is_a_number(self):
        assert interaction(event="rating", value="4.5")["value"] == 4.5
        assert interaction(event="rating", value="great")["wrong_type"].startswith("value: ")

    def test_a_like_may_carry_a_word_or_a_number_or_nothing(self):
        assert interaction(event="like", value="wow")["text"] == "wow"
        assert interaction(event="like", value=True)["value"] == 1.0
        assert interaction(event="like", value="")["value"] is None

    @pytest.mark.parametrize("value", ["nan", float("nan"), "-Infinity", 1e999])
    def test_a_number_that_is_not_finite_is_noted(self, value):
        assert interaction(event="view", value=value)["not_finite"].startswith("value: expected")

    def test_a_time_is_utc_and_what_is_none_is_noted(self):
        row = interaction(event="like", timestamp="2024-01-01T01:00:00+01:00")
        assert row["timestamp"] == datetime(2024, 1, 1, tzinfo=timezone.utc)
        assert (
            interaction(timestamp="soon")["wrong_type"] == "timestamp: expected a time, got 'soon'"
        )

    def test_sql_in_an_id_is_just_an_id(self):
        evil = "1'); DROP TABLE items; --"
        assert interaction(user_id=evil, item_id=evil)["user_id"] == evil


def test_a_users_attributes_are_one_json_object():
    row = normalise_user(Record(number=1, values={"user_id": 3, "age": "24", "job": ""}), MAX_CHARS)
    values = dict(zip(SCHEMAS["users"].names, row, strict=True))
    assert (values["user_id"], values["attributes"]) == ("3", '{"age": "24"}')
