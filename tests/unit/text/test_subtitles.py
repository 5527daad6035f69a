from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plmrec.text.subtitles import parse_subtitles, write_srt, write_webvtt
from plmrec.types import Segment

SRT = """1
00:00:01,000 --> 00:00:02,500
Hello there.

2
00:00:03,000 --> 00:00:05,000
How are
you?
"""


def texts(data: bytes | str) -> list[str]:
    raw = data.encode() if isinstance(data, str) else data
    return [segment.text for segment in parse_subtitles(raw).segments]


def times(data: str) -> list[tuple[float, float]]:
    return [(s.start_s, s.end_s) for s in parse_subtitles(data.encode()).segments]


def test_srt_gives_times_and_joined_lines():
    found = parse_subtitles(SRT.encode())
    assert found.segments == (
        Segment(start_s=1.0, end_s=2.5, text="Hello there."),
        Segment(start_s=3.0, end_s=5.0, text="How are you?"),
    )
    assert (found.n_cues, found.n_dropped) == (2, 0)


def test_webvtt_skips_header_notes_styles_and_identifiers():
    assert texts(
        "WEBVTT - a title\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nNOTE not spoken\n"
        "over two lines\n\nintro\n00:01.000 --> 00:02.000 align:start line:0%\n<v Ann>Hi <b>you</b>"
        "\n\nNOTE neither\n\n00:00:03.000 --> 00:00:04.000\n<c.yellow>AT&amp;T &lt;3</c>\n"
    ) == ["Hi you", "AT&T <3"]


@pytest.mark.parametrize(
    "data",
    [
        SRT.encode("utf-8-sig"),
        SRT.encode("utf-16"),
        SRT.replace("\n", "\r\n").encode(),
        SRT.replace("\n", "\r").encode(),
        SRT.replace(",", ".").encode(),
        SRT.replace("00:00:", "00:").encode(),
        SRT.replace("-->", "->").encode(),
        SRT.replace("\n\n2", "\n2").encode(),  # no blank line between cues
        SRT.replace("1\n00", "00").replace("2\n00", "00").encode(),  # no numbers
        SRT.replace("How are", "{\\an8}<font color='#fff'>How</font> <i>are</i>").encode(),
    ],
)
def test_the_ways_people_write_srt_all_read_the_same(data):
    assert texts(data) == ["Hello there.", "How are you?"]


def test_latin_1_is_read_when_it_is_not_utf_8():
    assert texts("1\n00:00:01,000 --> 00:00:02,000\nCafé\n".encode("latin-1")) == ["Café"]


def test_cues_are_sorted_and_overlaps_cut():
    data = "00:05.00 --> 00:09.00\nb\n\n00:01.00 --> 00:06.00\na\n\n00:05.00 --> 00:06.00\nc\n"
    assert texts(data) == ["a", "b c"]
    assert times(data) == [(1.0, 5.0), (5.0, 9.0)]


def test_an_end_before_the_start_becomes_the_time_to_read_it():
    assert times("00:05.000 --> 00:01.000\n" + "x" * 30 + "\n") == [(5.0, 7.0)]


def test_unreadable_times_drop_that_cue_alone():
    found = parse_subtitles(SRT.replace("00:00:01,000", "00:00:xx,000").encode())
    assert [segment.text for segment in found.segments] == ["How are you?"]
    assert (found.n_cues, found.n_dropped) == (2, 1)


def test_lines_of_automatic_captions_that_roll_on_count_once():
    assert texts(
        "WEBVTT\n\n00:00.000 --> 00:02.000\nso today\n\n00:02.000 --> 00:02.010\nso today\n\n"
        "00:02.010 --> 00:04.000\nso today\nwe bake bread\n\n"
        "00:04.000 --> 00:06.000\nwe bake bread\nwith rye\n"
    ) == ["so today", "we bake bread", "with rye"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]
)
def test_any_unicode_encoding_is_read_with_or_without_a_mark(encoding):
    found = parse_subtitles(SRT.replace("you", "\u0442\u044b").encode(encoding)).segments
    assert found[-1].text == "How are \u0442\u044b?"


def test_times_that_no_clock_shows_drop_that_cue_alone():
    bad = "1\n00:99:10,000 --> 00:00:02,000\nBad.\n\n2\n00:00:75,000 --> 00:01:20,000\nBad.\n\n"
    found = parse_subtitles((bad + "3\n75:30.000 --> 75:31.000\nGood.\n").encode())
    assert [(s.start_s, s.text) for s in found.segments] == [(4530.0, "Good.")]
    assert (found.n_cues, found.n_dropped) == (3, 2)


def test_negative_times_are_the_start():
    assert times("-00:00:05,000 --> 00:00:02,000\nEarly.\n") == [(0.0, 2.0)]


def test_a_line_said_again_later_stays():
    assert texts("00:01.000 --> 00:02.000\nNo.\n\n00:04.000 --> 00:05.000\nNo.\n") == ["No.", "No."]


def test_a_number_that_is_spoken_stays():
    assert texts("00:01.000 --> 00:02.000\n42\n\n2\n00:04.000 --> 00:05.000\n43\n") == ["42", "43"]


@pytest.mark.parametrize(
    "data", [b"", b"hello\nworld\n", b"WEBVTT\n\n", bytes(range(256)) * 40, b"\xff\xfe\x00", b"-->"]
)
def test_what_holds_no_cue_gives_no_segments(data):
    assert parse_subtitles(data).segments == ()


def test_long_segments_become_cues_of_readable_lines_that_share_the_time():
    words = " ".join(f"word{number}" for number in range(60))
    written = write_webvtt([Segment(start_s=10.0, end_s=22.0, text=words)])
    assert max(map(len, written.splitlines())) <= 42
    again = parse_subtitles(written.encode()).segments
    assert len(again) > 1
    assert " ".join(segment.text for segment in again) == words
    assert (again[0].start_s, again[-1].end_s) == (10.0, 22.0)


def test_srt_says_the_same_at_the_same_times():
    words = " ".join(f"word{number}" for number in range(60))
    segments = [
        Segment(start_s=3_661.5, end_s=3_673.25, text=words),
        Segment(start_s=3_700.0, end_s=3_702.0, text="a --> b & c"),
    ]
    written = write_srt(segments)
    assert written.startswith("1\n01:01:01,500 --> ")
    assert max(map(len, written.splitlines())) <= 42
    found = parse_subtitles(written.encode()).segments
    assert found[:-1] == parse_subtitles(write_webvtt(segments).encode()).segments[:-1]
    assert found[-1].text == "a \u2192 b & c"
    assert write_srt([]) == ""


def test_cues_can_be_read_in_their_time_and_do_not_overlap():
    segments = [
        Segment(start_s=1.0, end_s=1.05, text="Quick."),
        Segment(start_s=1.3, end_s=1.4, text="Quicker."),
        Segment(start_s=5.0, end_s=65.0, text="A note held for a minute."),
    ]
    found = times(write_webvtt(segments))
    assert found == [(1.0, 1.1), (1.3, 2.0), (5.0, 12.0)]


def test_a_word_longer_than_a_line_is_parted():
    written = write_webvtt([Segment(start_s=0.0, end_s=5.0, text="x" * 50 + " yes")])
    assert [len(line) for line in written.splitlines()[3:]] == [42, 12]


def test_hours_and_markup_survive_the_round_trip():
    segment = Segment(start_s=360_000.001, end_s=360_003.5, text="a < b && c --> <i>d</i>")
    assert parse_subtitles(write_webvtt([segment]).encode()).segments == (segment,)


def test_no_segments_are_still_a_webvtt_file():
    assert write_webvtt([]) == "WEBVTT\n"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400) | st.just(SRT))
def test_any_text_is_read_without_an_error_and_in_order(text):
    found = parse_subtitles(text.encode("utf-8", "replace")).segments
    assert all(s.text and 0 <= s.start_s <= s.end_s for s in found)
    assert all(a.end_s <= b.start_s for a, b in pairwise(found))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**6),
            st.integers(1, 10**4),
            st.lists(st.text("abc<&>-äø0", min_size=1, max_size=6), min_size=1, max_size=8),
        ),
        max_size=5,
    )
)
def test_written_segments_read_back_with_their_words_and_starts(rows):
    at, segments = 0, []
    for pause, length, words in rows:
        start, at = at + pause + 200, at + pause + 200 + length
        segments.append(Segment(start_s=start / 1000, end_s=at / 1000, text=" ".join(words)))
    found = parse_subtitles(write_webvtt(segments).encode()).segments
    assert [(s.start_s, s.text) for s in found] == [(s.start_s, s.text) for s in segments]
    for written, segment in zip(found, segments, strict=True):
        expected = min(segment.end_s, segment.start_s + 7)
        is_prolonged = expected < written.end_s <= written.start_s + 0.701
        assert is_prolonged or written.end_s == pytest.approx(expected, abs=1e-3)
