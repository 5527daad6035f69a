from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plmrec.text.file_names import file_name_of, key_of


@given(st.text(max_size=80))
def test_a_name_turns_back_into_its_key_unless_it_was_cut(key):
    name = file_name_of(key)
    assert key_of(name) == key or "~" in name


@given(st.text(max_size=400))
def test_a_name_is_short_plain_and_stays_in_its_folder(key):
    name = file_name_of(key)
    assert 0 < len(name) <= 200
    assert name.isascii()
    assert not set(name) & set("/\\.:*?\"'<>| \0")


def test_long_keys_that_begin_alike_get_different_names():
    one, two = file_name_of("x" * 500 + "a"), file_name_of("x" * 500 + "b")
    assert one != two
    assert key_of(one) is None


def test_statements_and_paths_are_only_names():
    assert file_name_of("../../etc/passwd") == "%2E%2E%2F%2E%2E%2Fetc%2Fpasswd"
    assert file_name_of("'; DROP TABLE item; --") == "%27%3B%20DROP%20TABLE%20item%3B%20--"
