"""Cleaning of ids and texts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plmrec.text.cleaning import clean_id, clean_line, clean_text

# Strings rich in what the rules look for; plain st.text() would hardly ever hit them.
PIECES = ["<", ">", "&", ";", "_", "'", "(qv)", "b", "br", "/", "amp", "lt", "&lt;", "!--", "-->"]
MORE = ["<p>", "</i>", "&amp;", "&nbsp;", "\u00e9", "e\u0301", "\u202b", "\ufeff", "x"]
MARKUP = st.lists(st.sampled_from([*PIECES, *MORE, " ", "\n", "\x00"]), max_size=30).map("".join)


@given(st.one_of(st.text(), MARKUP))
def test_cleaning_a_clean_text_changes_nothing(text):
    once = clean_text(text)
    assert clean_text(once) == once


@given(st.one_of(st.text(), MARKUP))
def test_cleaning_a_clean_line_changes_nothing_and_it_is_one_line(text):
    once = clean_line(text)
    assert clean_line(once) == once
    assert len(once.splitlines()) <= 1


@given(st.text())
def test_cleaning_a_clean_id_changes_nothing(text):
    once = clean_id(text)
    assert clean_id(once) == once


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("_Babe_ (qv), a pig", "Babe, a pig"),
        ("_Cape Fear (1991)_ (qv)", "Cape Fear (1991)"),
        ("'Ryan O'Donohue' (qv) isn't here", "Ryan O'Donohue isn't here"),
        ("'Ty _Cobb_ (qv)' (qv)", "Ty Cobb"),
        ("<p>One</p><p>Two</p>", "One\nTwo"),
        ("Fish &amp; chips&nbsp;&#8364;5", "Fish & chips €5"),
        ("<script>alert(1)</script>Hi <!-- note --> there", "Hi there"),
        ("a < b and b > c, I <3 snake_case", "a < b and b > c, I <3 snake_case"),
        ("mail <ann@example.org>", "mail <ann@example.org>"),
        ("line  one \r\n\r\n\tline two", "line one\nline two"),
        ("cafe\u0301\x00\ufeff", "café"),
    ],
)
def test_markup_and_spaces_go_and_words_stay(raw, clean):
    assert clean_text(raw) == clean


def test_right_to_left_text_and_emoji_are_untouched():
    hebrew, arabic = "\u05e9\u05dc\u05d5\u05dd \u200f\u05e2", "\u0645\u0631\u062d\u0628\u0627"
    family, flag, key = "\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "1\ufe0f\u20e3"
    text = f"{hebrew} {arabic} \u202bx\u202c {family} {flag} {key}"
    assert clean_text(text) == text


def test_nested_markup_cannot_make_cleaning_slow():
    started = time.perf_counter()
    clean_text(
        "<!--" * 40_000 + "&amp;" * 30_000 + "_a" * 20_000 + "'a" * 20_000 + "<script>" * 9_000
    )
    assert time.perf_counter() - started < 5.0


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (" 12.0 ", "12"),
        ("12.5", "12.5"),
        ("v1.0", "v1.0"),
        ("'; DROP TABLE x; --", "'; DROP TABLE x; --"),
    ],
)
def test_ids_keep_everything_but_the_space_around_them(raw, clean):
    assert clean_id(raw) == clean
