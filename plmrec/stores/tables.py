"""The tables of a workspace: their names, keys and columns, in one place."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from plmrec.stores.workspace import ShardedTable, Workspace

_STRINGS = pa.list_(pa.string())
_TIME = pa.timestamp("us", tz="UTC")

ITEMS: Final = pa.schema(
    [
        ("item_id", pa.string()),
        ("kind", pa.string()),
        ("title", pa.string()),
        ("description", pa.string()),
        ("genres", _STRINGS),
        ("creators", _STRINGS),
        ("cast", _STRINGS),
        ("language", pa.string()),
        ("published_at", _TIME),
        ("duration_s", pa.float64()),
        ("media", pa.string()),  # relative to dataset/media/ in the workspace, or a URL
        ("media_digest", pa.string()),
        ("subtitles", pa.string()),
        ("subtitles_digest", pa.string()),
        ("extra", pa.string()),  # JSON object with the columns plmrec does not know
        ("digest", pa.string()),  # of everything above
    ]
)
INTERACTIONS: Final = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("event", pa.string()),
        ("value", pa.float64()),  # rating, seconds or count; null for events without a number
        ("text", pa.string()),  # words of a comment
        ("timestamp", _TIME),  # null in a dataset that has no times
        ("extra", pa.string()),
    ]
)
USERS: Final = pa.schema([("user_id", pa.string()), ("attributes", pa.string())])  # JSON object
TRANSCRIPTS: Final = pa.schema(
    [
        ("item_id", pa.string()),
        # subtitles, speech: has text; no_speech, no_audio, none: has none, which is no fault;
        # refused: every file that could have given text was refused, see problems
        ("status", pa.string()),
        ("backend", pa.string()),  # name and version of what produced the text
        ("language", pa.string()),
        ("language_confidence", pa.float64()),  # null where the recogniser tells none
        ("media_s", pa.float64()),  # seconds of media decoded
        ("speech_s", pa.float64()),  # of them, seconds in which there was speech
        (
            "segments",
            pa.list_(
                pa.struct(
                    [
                        ("start_s", pa.float64()),
                        ("end_s", pa.float64()),
                        ("text", pa.string()),
                        ("confidence", pa.float64()),
                    ]
                )
            ),
        ),
        (
            "words",  # of recognised speech, one by one; empty where the backend times no words
            pa.list_(
                pa.struct(
                    [
                        ("start_s", pa.float64()),
                        ("end_s", pa.float64()),
                        ("text", pa.string()),
                        ("confidence", pa.float64()),
                    ]
                )
            ),
        ),
        (
            "measures",  # of recognised speech, one for each segment
            pa.list_(
                pa.struct(
                    [
                        ("words_per_s", pa.float64()),
                        ("repetition", pa.float64()),
                        ("compression", pa.float64()),
                    ]
                )
            ),
        ),
        # of recognised speech as a whole; null for other rows
        ("confidence", pa.float64()),
        ("words_per_s", pa.float64()),  # of speech
        ("repetition", pa.float64()),
        ("compression", pa.float64()),
        ("n_tries", pa.int32()),  # 2: decoded again with safer settings
        ("verdict", pa.string()),  # accepted, refused, or unjudged: with too few words
        (
            "problems",  # with the item's files; those of a refused item say why
            pa.list_(
                pa.struct(
                    [
                        ("reason", pa.string()),  # code of the quarantine
                        ("detail", pa.string()),
                        ("origin", pa.string()),  # the file
                    ]
                )
            ),
        ),
        ("input_digest", pa.string()),  # of what the row was computed from
        ("digest", pa.string()),  # of the row's content
    ]
)
DOCUMENTS: Final = pa.schema(
    [
        ("item_id", pa.string()),
        ("text", pa.string()),
        ("n_chars", pa.int64()),
        ("transcript_digest", pa.string()),
        ("masked", pa.string()),  # JSON object: personal data masked in it, by kind; null: none
        ("input_digest", pa.string()),
        ("digest", pa.string()),
    ]
)
PASSAGES: Final = pa.schema(
    [
        ("item_id", pa.string()),
        ("passage_no", pa.int32()),
        ("part", pa.string()),  # header, description or speech
        ("text", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("confidence", pa.float32()),  # of what was heard; null when it was not spoken
        ("vector", pa.list_(pa.float32())),
        ("input_digest", pa.string()),  # of its item's row in the item vectors
        ("digest", pa.string()),
    ]
)
ITEM_VECTORS: Final = pa.schema(
    [
        ("item_id", pa.string()),
        ("fingerprint", pa.string()),  # of the encoder
        ("n_passages", pa.int32()),
        ("vector", pa.list_(pa.float32())),
        ("document_digest", pa.string()),
        ("input_digest", pa.string()),
        ("digest", pa.string()),
    ]
)
MEANINGS: Final = pa.schema(
    [
        ("item_id", pa.string()),
        ("language", pa.string()),  # code of the language found in the text, null when none was
        ("language_confidence", pa.float32()),
        ("summary", pa.string()),
        ("keywords", pa.list_(pa.struct([("text", pa.string()), ("score", pa.float32())]))),
        ("topic_id", pa.string()),  # null for an item that is near no topic
        ("topic", pa.string()),  # label for people
        ("topic_score", pa.float32()),
        ("sentiment", pa.float32()),  # of the item's text, -1 to 1; null without words
        ("comments_sentiment", pa.float32()),  # mean of its comments; null without any
        ("n_comments", pa.int32()),
        (
            "tags",  # strongest first
            pa.list_(
                pa.struct(
                    [
                        ("tag_id", pa.string()),
                        ("strength", pa.float32()),  # 0 to 1, alike for all tags
                        ("similarity", pa.float32()),  # cosine of item and tag
                        ("is_label", pa.bool_()),  # the dataset itself says so
                    ]
                )
            ),
        ),
        ("masked", pa.string()),  # JSON object: personal data masked in the text, by kind
        ("models", pa.string()),  # JSON object: field -> model and version that made it
        ("taxonomy_version", pa.int32()),
        ("input_digest", pa.string()),
        ("digest", pa.string()),
    ]
)
COMMENTS: Final = pa.schema(
    [
        ("item_id", pa.string()),
        ("n_comments", pa.int32()),
        ("texts", _STRINGS),  # a bounded number of them, the latest
        ("digest", pa.string()),
    ]
)


def items_table(workspace: Workspace, n_shards: int) -> ShardedTable:
    """Accepted items; written by validate."""
    return workspace.table("dataset/items", key="item_id", schema=ITEMS, n_shards=n_shards)


def interactions_table(workspace: Workspace, n_shards: int) -> ShardedTable:
    """Accepted interactions, cut by user so that a history lies in one shard, sorted by time."""
    return workspace.table(
        "dataset/interactions", key="user_id", schema=INTERACTIONS, n_shards=n_shards
    )


def users_table(workspace: Workspace, n_shards: int) -> ShardedTable:
    """User attributes; written by validate."""
    return workspace.table("dataset/users", key="user_id", schema=USERS, n_shards=n_shards)


def transcripts_table(workspace: Workspace, n_shards: int) -> ShardedTable:
    """One row per item, with or without speech; written by transcribe."""
    return workspace.table("transcripts", key="item_id", schema=TRANSCRIPTS, n_shards=n_shards)


def documents_table(workspace: Workspace, n_shards: int) -> ShardedTable:
    """One row per item; written by embed."""
    return workspace.table("documents", key="item_id", schema=DOCUMENTS, n_shards=n_shards)


def passages_table(workspace: Workspace, n_shards: int, fingerprint: str) -> ShardedTable:
    """Passage vectors of one encoder; written by embed."""
    return workspace.table(
        f"embeddings/{fingerprint}/passages", key="item_id", schema=PASSAGES, n_shards=n_shards
    )


def item_vectors_table(workspace: Workspace, n_shards: int, fingerprint: str) -> ShardedTable:
    """Item vectors of one encoder; written by embed."""
    return workspace.table(
        f"embeddings/{fingerprint}/items", key="item_id", schema=ITEM_VECTORS, n_shards=n_shards
    )


def meanings_table(workspace: Workspace, n_shards: int, fingerprint: str) -> ShardedTable:
    """What each item is about, one row per item; written by understand."""
    return workspace.table(
        f"embeddings/{fingerprint}/meanings", key="item_id", schema=MEANINGS, n_shards=n_shards
    )


def comments_table(workspace: Workspace, n_shards: int) -> ShardedTable:
    """Comments gathered by item, items without any left out; written by understand."""
    return workspace.table("comments", key="item_id", schema=COMMENTS, n_shards=n_shards)
