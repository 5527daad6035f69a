"""Reading single values of raw files."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta, timezone

import pytest

from plmrec.text.values import parse_id, parse_list, parse_number, parse_time

NOON = datetime(2024, 3, 1, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "value",
    [
        "2024-03-01T12:00:00Z",
        "2024-03-01 12:00:00",
        "2024-03-01T14:00:00+02:00",
        "1709294400",
        "1709294400000",
        1709294400,
        1709294400.0,
        1709294400000,
        datetime(2024, 3, 1, 12, 0),  # noqa: DTZ001 - without a zone on purpose
        datetime(2024, 3, 1, 14, 0, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_times_in_all_spellings_are_one_time_in_utc(value):
    assert parse_time(value) == NOON
    assert parse_time(value).utcoffset() == timedelta(0)


def test_dates_and_years_are_midnight_of_their_first_day():
    assert parse_time("2024-03-01") == datetime(2024, 3, 1, tzinfo=timezone.utc)
    assert parse_time("20240301") == datetime(2024, 3, 1, tzinfo=timezone.utc)
    assert parse_time(date(2024, 3, 1)) == datetime(2024, 3, 1, tzinfo=timezone.utc)
    assert parse_time("1995", years=True) == datetime(1995, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize("value", ["yesterday", "2024-13-01", 1e30, math.inf, [1], {}, True])
def test_what_is_no_time_is_refused(value):
    with pytest.raises(ValueError, match="expected a time"):
        parse_time(value)


@pytest.mark.parametrize("value", [None, "", "  ", math.nan])
def test_nothing_is_no_time_no_id_and_no_names(value):
    assert parse_time(value) is None
    assert parse_id(value) is None
    assert parse_list(value) == []


def test_whole_numbers_are_ids_and_other_types_are_not():
    assert [parse_id(value) for value in (12, 12.0, "12.0", " 12 ")] == ["12"] * 4
    for value in (1.5, True, ["a"], {"a": 1}):
        with pytest.raises(ValueError, match="expected an id"):
            parse_id(value)


def test_numbers_may_be_nan_or_infinite_but_not_words():
    assert parse_number("4") == parse_number(4) == 4.0
    assert math.isnan(parse_number("NaN"))
    assert math.isinf(parse_number("-inf"))
    assert math.isinf(parse_number(10**400))
    assert parse_number("") is None
    for value in ("five", "1_000", "0x10", [4]):
        with pytest.raises(ValueError, match="expected a number"):
            parse_number(value)


@pytest.mark.parametrize(
    "value", [["Drama", " Comedy ", "Drama", None, ""], "Drama|Comedy|", '["Drama", "Comedy"]']
)
def test_lists_in_all_spellings_are_the_same_names(value):
    assert parse_list(value) == ["Drama", "Comedy"]


def test_what_is_no_list_of_names_is_refused():
    for value in (12, {"a": 1}, [["a"]]):
        with pytest.raises(ValueError, match="expected a list"):
            parse_list(value)
