"""The columns that the rules of a table look at, made from its rows."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from plmrec.types import Event

_NOTES = ("wrong_type", "not_finite", "longest_text")


def items_frame(rows: pa.Table) -> pd.DataFrame:
    """Frame of items: notes, keys, title, duration, and a digest of the content."""
    columns = ["item_id", "kind", "title", "duration_s", "content"]
    return _plain(rows.select([*_NOTES, *columns]))


def users_frame(rows: pa.Table) -> pd.DataFrame:
    """Frame of users: notes, key, and the whole content."""
    content = pc.binary_join_element_wise(
        pc.fill_null(rows["user_id"], ""), rows["attributes"], "\n"
    )
    return _plain(rows.select([*_NOTES, "user_id"]).append_column("content", content))


def interactions_frame(rows: pa.Table, known_items: Collection[str]) -> pd.DataFrame:
    """Frame of interactions: notes, content, and what the rules ask about each.

    Args:
        rows: With the columns of ``SCHEMAS["interactions"]``.
        known_items: Ids of the accepted items; a set, for speed.
    """
    columns = ["user_id", "item_id", "event", "value", "text", "timestamp", "extra"]
    frame = _plain(rows.select([*_NOTES, *columns]))
    times = rows["timestamp"].cast(pa.int64()).to_pandas()
    is_rating = frame["event"] == Event.RATING.value
    return frame.assign(
        timestamp_s=times / 1e6,
        item_is_known=[item in known_items for item in rows["item_id"].to_pylist()],
        rating_has_number=~(is_rating & frame["value"].isna()),
        rating=frame["value"].where(is_rating),
        view_s=frame["value"].where(frame["event"] == Event.VIEW.value),
    )


def _plain(rows: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = rows.to_pandas()
    return frame
