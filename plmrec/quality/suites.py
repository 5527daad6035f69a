"""The rules of each table as expectation suites, in the order in which a row is told its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import great_expectations.expectations as gxe

from plmrec.quality.base import Limits
from plmrec.quality.speech import SpeechLimits
from plmrec.types import Event, Kind

_MAX_ID_CHARS: Final = 512
_MAX_VIEW_S: Final = 30 * 86_400.0
KEEPS_FIRST: Final = {"duplicate_row", "duplicate_id"}  # the first of several equal rows is good
INTERACTION_CONTENT: Final = (
    "user_id",
    "item_id",
    "event",
    "value",
    "text",
    "timestamp_s",
    "extra",
)


def items_rules(limits: Limits) -> list[Any]:
    """What an item must be like."""
    return [
        *_readable(limits),
        *_id("item_id"),
        _in_set("kind", list(Kind), "unknown_kind"),
        _not_null("title", "missing_title", "a title"),
        _between("duration_s", "value_out_of_range", 0.0, None),
        _unique("content", "duplicate_row", "a row that is not there already"),
        _unique("item_id", "duplicate_id", "an id that no earlier item has"),
    ]


def interactions_rules(limits: Limits) -> list[Any]:
    """What an interaction must be like."""
    return [
        *_readable(limits),
        *_id("user_id"),
        *_id("item_id"),
        _in_set("event", list(Event), "unknown_event"),
        _true("item_is_known", "unknown_item", "an accepted item", shows="item_id"),
        _true("rating_has_number", "rating_without_number", "a number", shows="value"),
        _between(
            "rating",
            "value_out_of_range",
            limits.lowest_rating,
            limits.highest_rating,
            shows="value",
        ),
        _between("view_s", "value_out_of_range", 0.0, _MAX_VIEW_S, shows="value"),
        *(
            [_not_null("timestamp_s", "missing_timestamp", "a time, as other rows have one")]
            if limits.needs_timestamp
            else []
        ),
        _between(
            "timestamp_s",
            "timestamp_before_1970",
            0.0,
            None,
            expected="a time from 1970 on",
            shows="timestamp",
        ),
        _between(
            "timestamp_s",
            "timestamp_in_future",
            None,
            limits.latest_s,
            expected="a time that has come to pass",
            shows="timestamp",
        ),
        _rule(
            gxe.ExpectCompoundColumnsToBeUnique,
            "duplicate_row",
            "a row that is not there already",
            column_list=list(INTERACTION_CONTENT),
            ignore_row_if="never",
        ),
    ]


def users_rules(limits: Limits) -> list[Any]:
    """What a user's row must be like."""
    return [
        *_readable(limits),
        *_id("user_id"),
        _unique("content", "duplicate_row", "a row that is not there already"),
        _unique("user_id", "duplicate_id", "an id that no earlier user has"),
    ]


def media_rules(limits: Limits) -> list[Any]:
    """What a media or subtitles file of an accepted item must be like."""
    return [
        _true("inside_dataset", "path_outside_dataset", "one inside the dataset", shows="path"),
        _true("exists", "media_missing", "a file that is there", shows="path"),
        _between("size_bytes", "media_empty", 1, None),
        _null("media_problem", "media_not_decodable"),
        _null("subtitles_problem", "subtitles_not_readable"),
    ]


def speech_rules(limits: SpeechLimits) -> list[Any]:
    """What a transcript of recognised speech must be like, the surest sign of a fault first."""
    return [
        _between("repetition", "speech_repetitive", None, limits.max_repetition),
        _between("compression", "speech_compressible", None, limits.max_compression),
        _between("words_per_s", "speech_too_fast", None, limits.max_words_per_s),
        _between("confidence", "speech_low_confidence", limits.min_confidence, None),
        _between(
            "language_confidence",
            "speech_language_unsure",
            limits.min_language_confidence,
            None,
        ),
    ]


RULES: Final[dict[str, Callable[[Limits], list[Any]]]] = {
    "items": items_rules,
    "interactions": interactions_rules,
    "users": users_rules,
    "media": media_rules,
}


def gate_rules(facts: Mapping[str, float], limits: Limits) -> list[Any]:
    """What a dataset's numbers must be like; a breach is critical and stops the run."""
    rules: list[Any] = []
    for name in facts:
        low, high = 0.0, None
        if name == "items_out":
            low = 1.0
        elif name.endswith("_refused_share"):
            high = limits.max_quarantined_share
        elif name.endswith("_volume_drop"):
            high = limits.max_volume_drop
        rules.append(_between(name, name, low, high, severity="critical"))
    return rules


def _readable(limits: Limits) -> list[Any]:
    return [
        _null("wrong_type", "wrong_type"),
        _null("not_finite", "value_not_finite"),
        _between("longest_text", "text_too_long", 0, limits.max_text_chars),
    ]


def _id(column: str) -> list[Any]:
    return [
        _not_null(column, f"missing_{column}", "an id"),
        _rule(
            gxe.ExpectColumnValueLengthsToBeBetween,
            "id_too_long",
            f"at most {_MAX_ID_CHARS} characters",
            column=column,
            max_value=_MAX_ID_CHARS,
        ),
    ]


def _rule(
    kind: Any,
    reason: str,
    expected: str,
    *,
    severity: str = "warning",
    shows: str | None = None,
    **options: Any,
) -> Any:
    """One expectation.

    Args:
        kind: Its class.
        reason: Code told to the rows that break it.
        expected: What is expected, for people; empty when the column's value says what is wrong.
        severity: ``warning`` refuses rows, ``critical`` stops the run.
        shows: Column whose value is shown as found, when it is not the one that is judged.
        options: Arguments of the class.
    """
    meta = {"reason": reason, "expected": expected, "shows": shows}
    return kind(severity=severity, meta=meta, **options)


def _not_null(column: str, reason: str, expected: str) -> Any:
    return _rule(gxe.ExpectColumnValuesToNotBeNull, reason, expected, column=column)


def _null(column: str, reason: str) -> Any:
    """A column that holds a description of what is wrong, and null where nothing is."""
    return _rule(gxe.ExpectColumnValuesToBeNull, reason, "", column=column)


def _in_set(column: str, values: list[Any], reason: str) -> Any:
    names = [str(value) for value in values]
    expected = f"one of {', '.join(names)}"
    return _rule(gxe.ExpectColumnValuesToBeInSet, reason, expected, column=column, value_set=names)


def _true(column: str, reason: str, expected: str, *, shows: str) -> Any:
    kind = gxe.ExpectColumnValuesToBeInSet
    return _rule(kind, reason, expected, shows=shows, column=column, value_set=[True])


def _unique(column: str, reason: str, expected: str) -> Any:
    return _rule(gxe.ExpectColumnValuesToBeUnique, reason, expected, column=column)


def _between(
    column: str,
    reason: str,
    low: float | None,
    high: float | None,
    *,
    expected: str = "",
    **options: Any,
) -> Any:
    at_least = "" if low is None else f"at least {low:,.12g}"
    at_most = "" if high is None else f"at most {high:,.12g}"
    return _rule(
        gxe.ExpectColumnValuesToBeBetween,
        reason,
        expected or " and ".join(part for part in (at_least, at_most) if part),
        column=column,
        min_value=low,
        max_value=high,
        **options,
    )
