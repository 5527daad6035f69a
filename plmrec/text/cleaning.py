"""Cleaning of ids and texts: Unicode, whitespace, control characters, leftovers of markup."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from typing import Final

_MAX_ROUNDS: Final = 6  # markup nested deeper than this is not text but an attack

# C0, C1 and the byte order mark; tab, newline and carriage return are whitespace and stay.
# Joiners and direction marks stay too: emoji and right-to-left text need them.
_CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff]")
_BLOCK: Final = (
    "address|article|aside|blockquote|br|center|dd|div|dl|dt|figure|footer|h[1-6]|header|hr|li"
    "|main|nav|ol|p|pre|section|table|tbody|td|tfoot|th|thead|tr|ul"
)
_INLINE: Final = (
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|del|em|font|i|iframe|img|ins|kbd|mark|q|s|samp|script"
    "|small|span|strike|strong|style|sub|sup|tt|u|var|video|audio|source|wbr"
)
# Each pattern stops at the next "<", so that no input makes them slow.
_HIDDEN: Final = re.compile(r"<(script|style)\b[^<>]*>[^<]*</\1\s*>", re.IGNORECASE)
_COMMENT: Final = re.compile(r"<!--[^<>]*-->")
_BLOCK_TAG: Final = re.compile(rf"</?(?:{_BLOCK})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_INLINE_TAG: Final = re.compile(rf"</?(?:{_INLINE})(?:\s[^<>]*)?/?>", re.IGNORECASE)
# Film databases mark titles as _Title_ (qv) and names as 'Name' (qv), from "quod vide".
_TITLE: Final = re.compile(r"(?<![\w_])_([^_\s](?:[^_\n]{0,120}[^_\s])?)_(?![\w_])")
_NAME: Final = re.compile(r"(?<!\w)'((?:[^'\n]|(?<=\w)'(?=\w)){1,80})'\s?\(qv\)")
_SEE: Final = re.compile(r"\s?\(qv\)")


def clean_text(text: str) -> str:
    r"""Clean a text and keep its lines.

    Unicode NFC, no control characters, no markup (HTML tags and entities, ``_Title_ (qv)`` of
    film databases), single spaces, no empty lines. Cleaning a clean text changes nothing.

    Example:
        >>> clean_text("<p>Fish &amp;  chips</p> by _Babe_ (qv)")
        'Fish & chips\nby Babe'
    """
    if text.isascii() and text.isprintable() and not any(mark in text for mark in "<&_("):
        return " ".join(text.split())
    return _until_stable(text, _clean_once)


def clean_line(text: str) -> str:
    r"""Clean a text that is one line, such as a title or a name.

    Example:
        >>> clean_line(" The  <i>Sea</i>\nof grass ")
        'The Sea of grass'
    """
    if text.isascii() and text.isprintable() and not any(mark in text for mark in "<&_("):
        return " ".join(text.split())
    return " ".join(_until_stable(text, lambda part: " ".join(_clean_once(part).split())).split())


def shorten(text: str, length: int) -> str:
    """Shorten a text at a space, to at most ``length`` characters; white space becomes single.

    Example:
        >>> shorten("a long story", 7)
        'a long…'
    """
    words = " ".join(text.split())
    if len(words) <= length:
        return words
    head = words[:length]
    return (head.rsplit(" ", 1)[0] if " " in head else head[:-1]).rstrip(" ,;:.") + "…"


def clean_id(text: str) -> str:
    """Clean an id: Unicode NFC, no control characters, no space around it, ``12.0`` as ``12``.

    Nothing else is touched: an id is compared, never read.

    Example:
        >>> clean_id(" 12.0 ")
        '12'
    """
    if not (text.isascii() and text.isprintable()):
        text = _CONTROL.sub("", unicodedata.normalize("NFC", text))
        text = unicodedata.normalize("NFC", text)
    text = text.strip()
    if text.endswith(".0") and text[:-2].isdecimal() and text.isascii():
        return text[:-2]  # a whole number that passed through a column of floats
    return text


def _until_stable(text: str, step: Callable[[str], str]) -> str:
    """Repeat a step, as what it takes away may have hidden more of the same."""
    for _ in range(_MAX_ROUNDS):
        cleaned = step(text)
        if cleaned == text:
            return cleaned
        text = cleaned
    return _tidy(re.sub(r"[<>&_]|\(qv\)", " ", text))  # take away what markup is made of


def _clean_once(text: str) -> str:
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _HIDDEN.sub(" ", text)
        text = _COMMENT.sub(" ", text)
        text = _BLOCK_TAG.sub("\n", text)
        text = _INLINE_TAG.sub("", text)
    if "_" in text:
        text = _TITLE.sub(r"\1", text)
    if "(qv)" in text:
        text = _SEE.sub("", _NAME.sub(r"\1", text))
    return _tidy(text)


def _tidy(text: str) -> str:
    text = unicodedata.normalize("NFC", _CONTROL.sub("", text))
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
