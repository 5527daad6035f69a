"""From a raw record to a row of plmrec's types; what does not fit is noted for the rules."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import pyarrow as pa

from plmrec.digests import digest_json
from plmrec.stages.raw_records import Record
from plmrec.stores.tables import INTERACTIONS, ITEMS, USERS
from plmrec.text.cleaning import clean_line, clean_text
from plmrec.text.values import is_missing, parse_id, parse_list, parse_number, parse_time

T = TypeVar("T")
Row = tuple[Any, ...]
Normaliser = Callable[[Record, int], Row]

_NOTES: Final = [
    ("number", pa.int64()),  # where the record starts in its file
    ("raw", pa.string()),
    ("longest_text", pa.int64()),  # characters, before cleaning
    ("wrong_type", pa.string()),  # what does not have the type of its column, else null
    ("not_finite", pa.string()),  # which number is NaN or infinite, else null
]
_LATER: Final = {"media_digest", "subtitles_digest", "digest"}  # known once media were looked at
SCHEMAS: Final[dict[str, pa.Schema]] = {
    "items": pa.schema(
        [*_NOTES, ("content", pa.string()), *(f for f in ITEMS if f.name not in _LATER)]
    ),
    "interactions": pa.schema([*_NOTES, *INTERACTIONS]),
    "users": pa.schema([*_NOTES, *USERS]),
}
KEYS: Final = {"items": "item_id", "interactions": "user_id", "users": "user_id"}
_ITEM_COLUMNS: Final = {f.name for f in ITEMS} - {"extra", "digest"} - _LATER
_INTERACTION_COLUMNS: Final = {f.name for f in INTERACTIONS} - {"extra"}
_NUMERIC_EVENTS: Final = {"rating", "view"}  # of the others a word may be the value


class _Fields:
    """Reads the fields of one record and keeps what was wrong with them."""

    def __init__(self, record: Record, max_text_chars: int) -> None:
        self.record = record
        self.values: Mapping[str, Any] = record.values or {}
        self.max_text_chars = max_text_chars
        self.longest = 0
        self.wrong_type: str | None = None
        self.not_finite: str | None = None

    def read(self, name: str, parse: Callable[[Any], T]) -> T | None:
        try:
            return parse(self.values.get(name))
        except ValueError as err:
            self.wrong_type = self.wrong_type or f"{name}: {err}"
            return None

    def number(self, name: str) -> float | None:
        number = self.read(name, parse_number)
        if number is not None and not math.isfinite(number):
            self.not_finite = f"{name}: expected a finite number, got {number}"
        return number

    def text(self, name: str, clean: Callable[[str], str] = clean_text) -> str | None:
        value = self.values.get(name)
        if is_missing(value):
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.wrong_type = self.wrong_type or f"{name}: expected a text, got {value!r:.80}"
            return None
        return self.cleaned(str(value), clean)

    def cleaned(self, text: str, clean: Callable[[str], str] = clean_text) -> str | None:
        self.longest = max(self.longest, len(text))
        if len(text) > self.max_text_chars:  # will be refused; cleaning it would be for nothing
            return text[:80]
        return clean(text) or None

    def names(self, name: str) -> list[str]:
        value = self.values.get(name)
        if isinstance(value, str):
            self.longest = max(self.longest, len(value))
        return self.read(name, parse_list) or []

    def rest(self, known: set[str]) -> str:
        """The columns that plmrec does not know, as JSON."""
        rest = {k: v for k, v in self.values.items() if k not in known and not is_missing(v)}
        if not rest:
            return "{}"
        text = json.dumps(_plain(rest), ensure_ascii=False, sort_keys=True, default=str)
        self.longest = max(self.longest, len(text))
        return text

    def notes(self) -> Row:
        record = self.record
        return record.number, record.raw, self.longest, self.wrong_type, self.not_finite


def normalise_item(record: Record, max_text_chars: int) -> Row:
    """Turn a record into a row of ``SCHEMAS["items"]``."""
    fields = _Fields(record, max_text_chars)
    row = (
        fields.read("item_id", parse_id),
        (fields.text("kind", clean_line) or "").lower(),
        fields.text("title", clean_line),
        fields.text("description"),
        fields.names("genres"),
        fields.names("creators"),
        fields.names("cast"),
        (fields.text("language", clean_line) or "").lower() or None,
        fields.read("published_at", lambda value: parse_time(value, years=True)),
        fields.number("duration_s"),
        fields.text("media", str.strip),
        fields.text("subtitles", str.strip),
        fields.rest(_ITEM_COLUMNS),
    )
    return (*fields.notes(), digest_json(row), *row)


def normalise_interaction(record: Record, max_text_chars: int) -> Row:
    """Turn a record into a row of ``SCHEMAS["interactions"]``."""
    fields = _Fields(record, max_text_chars)
    event = (fields.text("event", clean_line) or "").lower()
    value, text = _value_and_text(fields, event)
    row = (
        fields.read("user_id", parse_id),
        fields.read("item_id", parse_id),
        event,
        value,
        text,
        fields.read("timestamp", parse_time),
        fields.rest(_INTERACTION_COLUMNS),
    )
    return (*fields.notes(), *row)


def normalise_user(record: Record, max_text_chars: int) -> Row:
    """Turn a record into a row of ``SCHEMAS["users"]``."""
    fields = _Fields(record, max_text_chars)
    row = (fields.read("user_id", parse_id), fields.rest({"user_id"}))
    return (*fields.notes(), *row)


NORMALISERS: Final[dict[str, Normaliser]] = {
    "items": normalise_item,
    "interactions": normalise_interaction,
    "users": normalise_user,
}


def _value_and_text(fields: _Fields, event: str) -> tuple[float | None, str | None]:
    """The column ``value`` holds a number or words; which, depends on the event."""
    value = fields.values.get("value")
    words = fields.text("text")
    if event == "comment" and not is_missing(value) and words is None:
        return None, fields.text("value")
    if isinstance(value, str) and event not in _NUMERIC_EVENTS:
        try:
            parse_number(value)
        except ValueError:
            return None, words or fields.text("value")
    return fields.number("value"), words


def _plain(value: Any) -> Any:
    """A JSON value without NaN, infinity and NUL, which databases refuse."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, Mapping):
        return {str(key).replace("\x00", ""): _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value
