"""Subtitles: reading SRT and WebVTT as people really write them, and writing both."""

from __future__ import annotations

import codecs
import html
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile, zip_longest
from typing import Final, NamedTuple

from plmrec.types import Segment

# [hours:]minutes:seconds[.fraction]; commas, colons and missing parts are seen in the wild
_TIME: Final = r"(-?)\s*(?:(\d{1,4}):)?(\d{1,3}):(\d{1,2})(?:[.,:](\d{1,6}))?"
_ARROW: Final = r"(?:-{1,3}>|[\u2013\u2014]>|\u2192)"
_TIMING: Final = re.compile(rf"^\s*{_TIME}\s*{_ARROW}\s*{_TIME}(?:\s.*)?$")
_TAG: Final = re.compile(
    r"</?(?:b|i|u|s|c|v|font|span|ruby|rt|lang|em|strong|p|br)(?:[\s.][^<>]*)?/?>"
    r"|<\d+:[\d:.,]+>"  # time of a single word
    r"|\{\\[^{}]*\}",  # style of an SSA subtitle
    re.IGNORECASE,
)
_BREAK: Final = re.compile(r"<br\s*/?>|\\[Nn]", re.IGNORECASE)
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARS_PER_S: Final = 15.0  # reading speed: how long a cue without a usable end is shown
_MIN_CUE_S: Final = 0.7
_MAX_CUE_S: Final = 7.0
_JOIN_S: Final = 0.1  # a cue that repeats the line before within this time rolls it on


class Cue(NamedTuple):
    """A cue as it stands in the file: times in seconds, lines without markup."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtitles:
    """What could be read of a subtitles file.

    Attributes:
        segments: In order of time, not overlapping, with words in each, confidence 1.
        n_cues: Cues in the file, readable or not.
        n_dropped: Cues left out, because their times cannot be read or they hold no words.
    """

    segments: tuple[Segment, ...]
    n_cues: int
    n_dropped: int


def parse_subtitles(data: bytes) -> Subtitles:
    """Read SRT or WebVTT; what can be repaired is, what cannot is dropped and counted.

    Byte order marks, UTF-16 with or without one, any line ends, Latin-1, missing blank lines and
    numbers, styles, tags, entities, settings, notes, and time stamps with commas, colons or
    missing parts are taken. Cues are sorted; a time before the start is the start; a cue that
    ends before it starts gets the time it takes to read it; one that runs into the next ends
    there; cues with the same start become one; lines that roll on from cue to cue, as automatic
    captions have them, count once.

    Args:
        data: The file's bytes.

    Returns:
        No segments when the file holds no readable cue.
    """
    cues: list[Cue] = []
    n_cues = 0
    for cue in _read_cues(_decode(data)):
        n_cues += 1
        if cue is not None and cue.lines:
            cues.append(cue)
    segments = tuple(_to_segments(_without_overlaps(_without_rolling(_sorted(cues)))))
    return Subtitles(segments=segments, n_cues=n_cues, n_dropped=n_cues - len(cues))


def write_webvtt(segments: Iterable[Segment], *, width: int = 42, max_lines: int = 2) -> str:
    """Write segments as WebVTT with lines of readable length.

    A segment that needs more lines becomes several cues, which share its time in proportion to
    their length. A cue lasts 0.7 to 7 s: a longer one ends early, a shorter one is shown until
    it can be read, but never into the next.

    Args:
        segments: In order of time.
        width: Longest line, characters; a longer word is parted.
        max_lines: Most lines of one cue.
    """
    blocks = ["WEBVTT"]
    for cue in _timed(segments, width, max_lines):
        lines = "\n".join(html.escape(line, quote=False) for line in cue.lines)
        blocks.append(f"{_stamp(cue.start_s)} --> {_stamp(cue.end_s)}\n{lines}")
    return "\n\n".join(blocks) + "\n"


def write_srt(segments: Iterable[Segment], *, width: int = 42, max_lines: int = 2) -> str:
    """Write segments as SRT; lines and times are those of ``write_webvtt``.

    SRT has no way to escape: ``-->`` in a text is written as an arrow.
    """
    blocks = []
    for number, cue in enumerate(_timed(segments, width, max_lines), start=1):
        start, end = (_stamp(each).replace(".", ",") for each in (cue.start_s, cue.end_s))
        lines = "\n".join(line.replace("-->", "\u2192") for line in cue.lines)
        blocks.append(f"{number}\n{start} --> {end}\n{lines}\n")
    return "\n".join(blocks)


# ---- reading


def _decode(data: bytes) -> str:
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), _guess(data))
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("utf-8" if encoding == "utf-8-sig" else encoding, "replace")
        if encoding == "utf-8":
            text = data.decode("cp1252", "replace")
    return unicodedata.normalize("NFC", text.replace("\0", ""))


def _guess(data: bytes) -> str:
    """Tell UTF-16 without a mark: times and tags alone make every second byte often zero."""
    low, high = (data[first:4096:2].count(0) for first in (0, 1))
    if max(low, high) < len(data[:4096]) // 8:
        return "utf-8"
    return "utf-16-le" if high > low else "utf-16-be"


def _read_cues(text: str) -> Iterator[Cue | None]:
    """Cues in the order of the file; None for one whose times cannot be read."""
    is_webvtt = text.lstrip().startswith("WEBVTT")
    lines = re.split(r"\r\n|\r|\n", text)
    timings = [number for number, line in enumerate(lines) if _is_timing(line, lines, number)]
    for place, number in enumerate(timings):
        end = timings[place + 1] if place + 1 < len(timings) else len(lines)
        is_last = place + 1 == len(timings)
        body = _body(lines[number + 1 : end], is_webvtt=is_webvtt, is_last=is_last)
        match = _TIMING.match(lines[number])
        if match is None:
            yield None
            continue
        words = match.groups()
        if not (_is_time(words[:5]) and _is_time(words[5:])):
            yield None
            continue
        yield Cue(_seconds(words[:5]), _seconds(words[5:]), tuple(_clean(body)))


def _is_timing(line: str, lines: Sequence[str], number: int) -> bool:
    """Tell a line of times from text; also one that is broken, when it stands after a number."""
    if _TIMING.match(line):
        return True
    before = lines[number - 1].strip() if number else ""
    return bool(re.search(_ARROW, line)) and (before.isdigit() or not before) and ":" in line


def _body(lines: list[str], *, is_webvtt: bool, is_last: bool) -> list[str]:
    """Lines of a cue, without the number of the next one; WebVTT ends a cue at a blank line."""
    if not is_last and lines and lines[-1].strip().isdigit():
        lines = lines[:-1]
    if is_webvtt:
        return list(takewhile(str.strip, lines))
    return [line for line in lines if line.strip()]


def _clean(lines: Iterable[str]) -> Iterator[str]:
    text = _BREAK.sub("\n", "\n".join(lines))
    text = html.unescape(_TAG.sub("", text)).replace("\u00a0", " ").replace("♪", " ")
    for line in text.split("\n"):
        if words := " ".join(line.split()):
            yield words


def _is_time(parts: Sequence[str | None]) -> bool:
    """Tell whether minutes and seconds are below 60; without hours, minutes may count on."""
    _, hours, minutes, seconds, _ = parts
    return int(seconds or 0) < 60 and (hours is None or int(minutes or 0) < 60)


def _seconds(parts: Sequence[str | None]) -> float:
    sign, hours, minutes, seconds, fraction = parts
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    value = whole + float(f"0.{fraction or 0}")
    return 0.0 if sign else value


# ---- repairing


def _sorted(cues: list[Cue]) -> list[Cue]:
    """Sort by start; give a usable end to cues without one; join those with the same start."""
    found: list[Cue] = []
    for cue in sorted(cues, key=lambda cue: cue.start_s):
        end_s = cue.end_s if cue.end_s > cue.start_s else cue.start_s + _reading_time(cue.lines)
        if found and cue.start_s == found[-1].start_s:
            last = found.pop()
            lines = last.lines if cue.lines == last.lines else last.lines + cue.lines
            found.append(Cue(last.start_s, max(last.end_s, end_s), lines))
        else:
            found.append(Cue(cue.start_s, end_s, cue.lines))
    return found


def _reading_time(lines: Sequence[str]) -> float:
    n_chars = sum(map(len, lines))
    return min(max(n_chars / _CHARS_PER_S, _MIN_CUE_S), _MAX_CUE_S)


def _without_rolling(cues: list[Cue]) -> list[Cue]:
    """Leave out lines that were still on the screen from the cue before."""
    found: list[Cue] = []
    shown: tuple[str, ...] = ()  # lines of the cue before, as the file has them
    shown_until = 0.0
    for cue in cues:
        lines = cue.lines
        if found and cue.start_s <= shown_until + _JOIN_S:
            for size in range(min(len(shown), len(lines)), 0, -1):
                if lines[:size] == shown[-size:]:
                    lines = lines[size:]
                    break
        shown, shown_until = cue.lines, cue.end_s
        if lines:
            found.append(Cue(cue.start_s, cue.end_s, lines))
        else:
            found[-1] = found[-1]._replace(end_s=max(found[-1].end_s, cue.end_s))
    return found


def _without_overlaps(cues: list[Cue]) -> Iterator[Cue]:
    for cue, following in pairwise(cues):
        yield cue._replace(end_s=min(cue.end_s, following.start_s))
    yield from cues[-1:]


def _to_segments(cues: Iterable[Cue]) -> Iterator[Segment]:
    for cue in cues:
        text = " ".join(cue.lines)
        yield Segment(start_s=round(cue.start_s, 3), end_s=round(cue.end_s, 3), text=text)


# ---- writing


def _timed(segments: Iterable[Segment], width: int, max_lines: int) -> Iterator[Cue]:
    """Cues with times in which they can be read."""
    cues = [cue for each in segments for cue in _cut_into_cues(each, width, max_lines)]
    for cue, following in zip_longest(cues, cues[1:]):
        # Cues that touch look like one that rolls on, so one that is prolonged leaves a gap.
        latest = math.inf if following is None else following.start_s - 2 * _JOIN_S
        shortest = min(cue.start_s + _MIN_CUE_S, latest)
        end_s = max(min(cue.end_s, cue.start_s + _MAX_CUE_S), shortest)
        yield cue._replace(end_s=max(end_s, cue.start_s))


def _cut_into_cues(segment: Segment, width: int, max_lines: int) -> Iterator[Cue]:
    lines = _wrap(segment.text, width)
    groups = [lines[first : first + max_lines] for first in range(0, len(lines), max_lines)]
    n_chars = sum(map(len, lines))
    start_s = segment.start_s
    n_done = 0
    for group in groups:
        n_done += sum(map(len, group))
        end_s = segment.start_s + (segment.end_s - segment.start_s) * n_done / n_chars
        yield Cue(start_s, end_s, tuple(group))
        start_s = end_s


def _wrap(text: str, width: int) -> list[str]:
    """Break a text into lines at spaces; a word longer than a line is parted.

    Scripts without spaces are so many long words.
    """
    lines: list[str] = []
    for word in text.split():
        for part in (word[at : at + width] for at in range(0, len(word), width)):
            if lines and len(word) <= width and len(lines[-1]) + 1 + len(part) <= width:
                lines[-1] += " " + part
            else:
                lines.append(part)
    return lines


def _stamp(seconds: float) -> str:
    ms = round(max(seconds, 0.0) * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"
