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
        Passage(text="one two three four", start_s=0.0, end_s=6.0, confidence=1.0),
        Passage(text="five six", start_s=7.0, end_s=9.0, confidence=1.0),
    ]


def test_a_passage_is_as_sure_as_its_segments_longer_ones_counting_more() -> None:
    segments = [
        Segment(start_s=0.0, end_s=1.0, text="a" * 29, confidence=1.0),
        Segment(start_s=1.0, end_s=2.0, text="b" * 9, confidence=0.2),
    ]
    found = cut_segments(segments, max_tokens=9, overlap_tokens=0, count_tokens=count_words)
    assert [passage.confidence for passage in found] == [pytest.approx(0.8)]  # (30 + 2) / 40
    assert cut_text("a b", max_tokens=9, overlap_tokens=0, count_tokens=count_words) == [
        Passage(text="a b")
    ]


def cut_spoken(segments: list[Segment], max_s: float, overlap_tokens: int = 0) -> list[Passage]:
    return cut_segments(
        segments,
        max_tokens=100,
        overlap_tokens=overlap_tokens,
        count_tokens=count_words,
        max_s=max_s,
    )


def test_a_spoken_passage_is_no_longer_than_its_time() -> None:
    segments = [Segment(start_s=4.0 * n, end_s=4.0 * n + 3, text=f"w{n}.") for n in range(6)]
    found = cut_spoken(segments, 8)
    assert [passage.text for passage in found] == ["w0. w1.", "w2. w3.", "w4. w5."]
    shared = cut_spoken(segments, 12, overlap_tokens=1)
    assert [passage.text for passage in shared] == ["w0. w1. w2.", "w2. w3. w4.", "w4. w5."]


def test_what_is_said_after_a_long_silence_is_another_passage() -> None:
    segments = [
        Segment(start_s=5.0, end_s=6.0, text="Hello."),
        Segment(start_s=3000.0, end_s=3001.0, text="Goodbye."),
    ]
    assert [passage.start_s for passage in cut_spoken(segments, 60, 5)] == [5.0, 3000.0]


def test_a_segment_of_many_minutes_is_cut_in_parts_of_equal_time() -> None:
    found = cut_spoken([Segment(start_s=100.0, end_s=400.0, text="one two six ten. " * 60)], 60)
    assert [(passage.start_s, passage.end_s) for passage in found] == [
        (100.0 + 60 * n, 160.0 + 60 * n) for n in range(5)
    ]
    assert all(45 <= len(passage.text.split()) <= 51 for passage in found)


@pytest.mark.parametrize("text", ["one", " ", "one two three"])
def test_a_segment_without_end_has_no_more_parts_than_words(text: str) -> None:
    found = cut_spoken([Segment(start_s=0.0, end_s=1e12, text=text)], 60)
    assert [passage.text for passage in found] == text.split()


@given(segments=SEGMENTS, max_s=st.floats(0.5, 100))
def test_cutting_by_time_keeps_every_word_once(segments: list[Segment], max_s: float) -> None:
    said = sorted(word for segment in segments for word in segment.text.split())
    found = cut_spoken(segments, max_s)
    assert sorted(word for passage in found for word in passage.text.split()) == said


@pytest.mark.parametrize("limit", range(1, 12))
def test_thinning_keeps_the_first_and_the_order(limit: int) -> None:
    kept = thin_out(range(9), limit)
    assert kept[0] == 0
    assert len(kept) == min(limit, 9)
    assert kept == sorted(set(kept))
