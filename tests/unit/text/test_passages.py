from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plmrec.text.passages import cut_segments, cut_text, thin_out
from plmrec.types import Passage, Segment

SENTENCES = st.lists(
    st.lists(
        st.sampled_from(["a", "bee", "sea", "dee", "ef", "gee", "aitch", "eye", "jay"]),
        min_size=1,
        max_size=12,
    ),
    max_size=12,
).map(lambda found: " ".join(" ".join(words).capitalize() + "." for words in found))
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
BUDGETS = st.integers(min_value=1, max_value=20)


def count_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def count_characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def count_wholes_dearer_than_parts(texts: Sequence[str]) -> list[int]:
    """A tokenizer that needs one token more for every space, as no sum of parts would say."""
    return [len(text.split()) + text.strip().count(" ") for text in texts]


COUNTERS = st.sampled_from([count_words, count_characters, count_wholes_dearer_than_parts])


def cut(text: str, max_tokens: int, overlap_tokens: int = 0, count=count_words) -> list[str]:
    passages = cut_text(
        text, max_tokens=max_tokens, overlap_tokens=overlap_tokens, count_tokens=count
    )
    return [passage.text for passage in passages]


def letters(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_sentences_stay_whole_where_they_fit() -> None:
    text = "One two three. Four five! Six? Seven eight."
    assert cut(text, 5) == ["One two three. Four five!", "Six? Seven eight."]


def test_short_sentences_at_the_end_of_a_passage_begin_the_next() -> None:
    text = "One two three. Four five! Six seven? Eight nine ten."
    assert cut(text, 5, 2) == [
        "One two three. Four five!",
        "Four five! Six seven?",
        "Six seven? Eight nine ten.",
    ]


def test_a_sentence_too_long_is_cut_between_words() -> None:
    assert cut("One two three four five six seven.", 3) == [
        "One two three",
        "four five six",
        "seven.",
    ]


def test_a_word_too_long_is_cut_between_characters() -> None:
    assert cut("abcdefgh ij", 4, count=count_characters) == ["abcd", "efgh", "ij"]


def test_sentences_of_other_scripts_are_known() -> None:
    assert cut("今日は晴れ。明日は雨。", 6, count=count_characters) == [
        "今日は晴れ。",
        "明日は雨。",
    ]
    assert cut("ما اسمك؟ اسمي علي.", 2) == ["ما اسمك؟", "اسمي علي."]


def test_white_space_alone_is_no_passage() -> None:
    assert cut(" \n\t ", 5) == []


@given(text=ANY_TEXT, max_tokens=BUDGETS, count=COUNTERS)
def test_nothing_is_lost_and_nothing_added(text: str, max_tokens: int, count) -> None:
    assert letters("".join(cut(text, max_tokens, count=count))) == letters(text)


@given(text=SENTENCES, max_tokens=BUDGETS, overlap_tokens=BUDGETS)
def test_every_word_is_whole_in_some_passage(
    text: str, max_tokens: int, overlap_tokens: int
) -> None:
    words = [word for passage in cut(text, max_tokens, overlap_tokens) for word in passage.split()]
    left = iter(words)
    assert all(word in left for word in text.split())  # in order, others between them


@given(text=SENTENCES | ANY_TEXT, max_tokens=BUDGETS, overlap_tokens=BUDGETS, count=COUNTERS)
def test_every_passage_fits(text: str, max_tokens: int, overlap_tokens: int, count) -> None:
    passages = cut(text, max_tokens, overlap_tokens, count)
    assert all(
        n_tokens <= max_tokens or len(passage) == 1
        for passage, n_tokens in zip(passages, count(passages), strict=True)
    )
    assert all(passage == passage.strip() != "" for passage in passages)


SEGMENTS = st.lists(
    st.tuples(st.floats(0, 1000), st.floats(0, 30), SENTENCES).map(
        lambda found: Segment(start_s=found[0], end_s=found[0] + found[1], text=found[2])
    ),
    max_size=8,
)


@given(segments=SEGMENTS, max_tokens=BUDGETS, overlap_tokens=st.integers(0, 4))
def test_spoken_passages_go_forward_in_time(
    segments: list[Segment], max_tokens: int, overlap_tokens: int
) -> None:
    passages = cut_segments(
        segments,
        max_tokens=max_tokens,
        overlap_tokens=overlap_tokens,
        count_tokens=count_words,
    )
    starts = [passage.start_s for passage in passages]
    assert starts == sorted(starts)
    assert all(passage.start_s <= passage.end_s for passage in passages)


def test_a_spoken_passage_spans_its_segments() -> None:
    segments = [
        Segment(start_s=4.0, end_s=6.0, text="three four"),
        Segment(start_s=0.0, end_s=2.5, text="one two"),
        Segment(start_s=7.0, end_s=9.0, text="five six"),
    ]
    passages = cut_segments(segments, max_tokens=4, overlap_tokens=0, count_tokens=count_words)
    assert passages == [
        Passage(text="one two three four", start_s=0.0, end_s=6.0),
        Passage(text="five six", start_s=7.0, end_s=9.0),
    ]


@pytest.mark.parametrize("limit", range(1, 12))
def test_thinning_keeps_the_first_and_the_order(limit: int) -> None:
    kept = thin_out(range(9), limit)
    assert kept[0] == 0
    assert len(kept) == min(limit, 9)
    assert kept == sorted(set(kept))
