"""Reading of single values as they come in raw files: times, numbers, lists, ids."""

from __future__ import annotations

import contextlib
import json
import math
import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from plmrec.text.cleaning import clean_id, clean_line

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECONDS_FROM: Final = 1e11  # as seconds this would be the year 5138
_NUMBER: Final = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE
)


def is_missing(value: Any) -> bool:
    """Tell whether a value stands for "nothing": None, an empty string, or a float NaN."""
    return (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (isinstance(value, float) and math.isnan(value))
    )


def parse_id(value: Any) -> str | None:
    """Read an id: a string or a whole number; None when it is missing.

    Raises:
        ValueError: Another type.
    """
    if isinstance(value, str):
        return clean_id(value) or None
    if is_missing(value):
        return None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return clean_id(str(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    raise ValueError(f"expected an id, got {value!r:.80}")


def parse_number(value: Any) -> float | None:
    """Read a number, NaN and infinity included; None when it is missing.

    Raises:
        ValueError: Not a number.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        raise ValueError(f"expected a number, got {value!r:.80}")
    if not isinstance(value, str | int | float | Decimal):
        raise ValueError(f"expected a number, got {value!r:.80}")  # noqa: TRY004 - one error class
    try:
        return float(value)
    except OverflowError:
        return math.inf


def parse_time(value: Any, *, years: bool = False) -> datetime | None:
    """Read a time as UTC; None when it is missing.

    Understood are ISO 8601 with or without zone (UTC is assumed), dates, and Unix times in
    seconds or milliseconds.

    Args:
        value: A string, number, date or datetime.
        years: Read four digits as a year, as publication dates often are.

    Raises:
        ValueError: Not a time, or outside the years 1 to 9999.
    """
    if is_missing(value):
        return None
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
    if isinstance(value, bool):
        raise ValueError(f"expected a time, got {value!r}")  # noqa: TRY004 - one error class
    text = str(value).strip()
    if years and len(text) == 4 and text.isdecimal():
        return datetime(int(text), 1, 1, tzinfo=timezone.utc)
    try:
        if isinstance(value, str) and (not _NUMBER.fullmatch(text) or len(text) == 8):
            return _utc(datetime.fromisoformat(text))  # eight digits are a date
        number = parse_number(value) or 0.0
        seconds = number / 1000.0 if abs(number) >= _MILLISECONDS_FROM else number
        return _EPOCH + timedelta(seconds=seconds)
    except (ValueError, OverflowError) as err:
        raise ValueError(f"expected a time, got {value!r:.80}") from err


def parse_list(value: Any) -> list[str]:
    """Read a list of names: a list, a JSON array, or ``a|b|c``; doubles and gaps are dropped.

    Raises:
        ValueError: Not a list of names.

    Example:
        >>> parse_list("Drama|Comedy|Drama")
        ['Drama', 'Comedy']
    """
    if is_missing(value):
        return []
    parts: Any = value
    if isinstance(value, str):
        parts = value.split("|")
        if value.lstrip().startswith("["):
            with contextlib.suppress(ValueError):  # or it is a name that begins with a bracket
                parts = json.loads(value)
    if not isinstance(parts, list) or any(isinstance(p, dict | list) for p in parts):
        raise ValueError(f"expected a list of names, got {value!r:.80}")
    names = (clean_line(str(part)) for part in parts if part is not None)
    return list(dict.fromkeys(name for name in names if name))


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=timezone.utc)
    return value.astimezone(timezone.utc)
