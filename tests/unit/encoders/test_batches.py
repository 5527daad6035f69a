from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plmrec.encoders import _batches
from plmrec.encoders._batches import batches, one_ahead, windows


@given(
    lengths=st.lists(st.integers(1, 50), max_size=40),
    max_tokens=st.integers(1, 200),
    max_rows=st.one_of(st.none(), st.integers(1, 8)),
    padded=st.booleans(),
)
def test_every_row_is_dealt_once_within_the_bounds(
    lengths: list[int], max_tokens: int, max_rows: int | None, padded: bool
) -> None:
    dealt = list(batches(lengths, max_tokens=max_tokens, max_rows=max_rows, padded=padded))
    assert sorted(row for batch in dealt for row in batch) == list(range(len(lengths)))
    for batch in dealt:
        costs = [lengths[row] for row in batch]
        cost = max(costs) * len(costs) if padded else sum(costs)
        assert cost <= max_tokens or len(batch) == 1
        assert max_rows is None or len(batch) <= max_rows


def test_rows_of_like_length_stand_together() -> None:
    dealt = list(batches([2, 9, 2, 9], max_tokens=18, max_rows=None, padded=True))
    assert dealt == [[1, 3], [0, 2]]


def test_without_padding_short_rows_fill_a_batch_up() -> None:
    lengths = [6, 2, 2]
    assert list(batches(lengths, max_tokens=10, max_rows=None, padded=False)) == [[0, 1, 2]]
    assert list(batches(lengths, max_tokens=10, max_rows=None, padded=True)) == [[0], [1, 2]]


def test_windows_hold_so_many_texts_or_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_batches, "WINDOW_TEXTS", 3)
    monkeypatch.setattr(_batches, "WINDOW_CHARACTERS", 10)
    texts = ["a", "b", "c", "d", "e" * 9, "f", "g" * 50, "h", ""]
    assert list(windows(texts)) == [["a", "b", "c"], ["d", "e" * 9], ["f"], ["g" * 50], ["h", ""]]
    assert list(windows([])) == []


def test_the_next_value_is_computed_while_the_last_is_used() -> None:
    started = {number: threading.Event() for number in range(3)}

    def double(number: int) -> int:
        started[number].set()
        return 2 * number

    found = []
    for result in one_ahead(double, range(3)):
        ahead = result // 2 + 1
        assert ahead == 3 or started[ahead].wait(timeout=10)
        found.append(result)
    assert found == [0, 2, 4]


def test_no_more_than_one_value_is_read_ahead() -> None:
    read = []
    results = one_ahead(lambda number: number, (read.append(n) or n for n in range(100)))
    assert next(results) == 0
    assert read == [0, 1]
    results.close()


def test_an_error_in_the_thread_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(one_ahead(lambda number: 1 // number, [1, 0]))
