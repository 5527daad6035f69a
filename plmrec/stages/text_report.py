"""What the texts of a workspace are like: counts, distributions, samples, and the oddest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from plmrec.errors import MissingStageError
from plmrec.metrics.speech import zlib_ratio
from plmrec.stages.content_vectors import Contents, read_contents
from plmrec.stages.taxonomy import body
from plmrec.stores.workspace import ShardedTable
from plmrec.understanding.taxonomy import centre, corpus_mean

_WORDS: Final = (0, 1, 10, 30, 100, 300, 1000, 10_000)  # borders of the classes of length
_READ: Final = 20_000  # characters that tell how repetitive a text is
_COMPARED: Final = 5000  # items that each one is compared with
_SHOWN: Final = 400  # characters of a text in the report


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTables:
    """What the report reads, of one encoder."""

    items: ShardedTable
    transcripts: ShardedTable
    documents: ShardedTable
    passages: ShardedTable
    meanings: ShardedTable


def describe_texts(opened: TextTables, *, n_samples: int, n_odd: int, seed: int) -> dict[str, Any]:
    """Describe all texts; nothing of it is masked data in clear.

    Args:
        opened: The tables.
        n_samples: Items drawn evenly, shown with all that was made of them.
        n_odd: Items of each list of extremes.
        seed: Of the draw.

    Returns:
        ``items``; ``counts`` by name; ``distributions``: name -> label -> number of items;
        ``masked``: kind -> number; ``samples``; ``odd``: name of a list -> items; ``models``.

    Raises:
        MissingStageError: The documents were not understood yet.
    """
    if not opened.meanings.is_complete:
        raise MissingStageError(
            f"report: expected all shards of {opened.meanings.name}, found some or all missing",
            hint="Run plmrec understand first",
        )
    rows = list(_rows(opened))
    rng = np.random.default_rng(seed)
    n_drawn = min(n_samples, len(rows))
    drawn = rng.choice(max(len(rows), 1), n_drawn, replace=False)
    masked: Counter[str] = Counter()
    for row in rows:
        masked.update(row["masked"])
    return {
        "items": len(rows),
        "counts": _counts(rows),
        "distributions": _distributions(rows),
        "masked": dict(masked.most_common()),
        "masked_items": sum(bool(row["masked"]) for row in rows),
        "samples": [rows[int(place)] for place in sorted(drawn)],
        "odd": _odd(rows, n_odd),
        "models": rows[0]["models"] if rows else {},
    }


def _rows(opened: TextTables) -> Iterator[dict[str, Any]]:
    """Every item, sorted within its shard, with the measures of its text."""
    contents = [read_contents(opened.passages, shard) for shard in opened.meanings.shards]
    nearest = _nearest(contents)
    for shard in opened.meanings.shards:
        items = _by_id(opened.items, shard, ["kind", "language", "genres"])
        said = _by_id(opened.transcripts, shard, ["status"])
        documents = _by_id(opened.documents, shard, ["text", "n_chars"])
        for meaning in opened.meanings.read(shard).to_pylist():
            item_id = meaning["item_id"]
            yield _row(
                meaning,
                items[item_id],
                documents[item_id],
                said.get(item_id, {}),
                nearest.get(item_id),
            )


def _nearest(contents: Sequence[Contents]) -> dict[str, float]:
    """Cosine of each item with the one most like it, in a large corpus among some drawn evenly."""
    filled = [some for some in contents if some.item_ids]
    if not filled:
        return {}
    vectors = np.concatenate([some.vectors for some in filled])
    ids = [item_id for some in filled for item_id in some.item_ids]
    centred = centre(vectors, corpus_mean(vectors))
    others = np.arange(0, len(ids), max(len(ids) // _COMPARED, 1))
    found: dict[str, float] = {}
    for start in range(0, len(ids), 1000):
        rows = np.arange(start, min(start + 1000, len(ids)))
        cosines = centred[rows] @ centred[others].T
        cosines[rows[:, None] == others[None, :]] = -1.0
        best = cosines.max(axis=1)
        found.update((ids[row], float(value)) for row, value in zip(rows, best, strict=True))
    return found


def _row(
    meaning: Mapping[str, Any],
    item: Mapping[str, Any],
    document: Mapping[str, Any],
    transcript: Mapping[str, Any],
    likeness: float | None,
) -> dict[str, Any]:
    head, _, _ = document["text"].partition("\n\n")
    text = body(document["text"])
    wanted = ("item_id", "language", "language_confidence", "summary", "topic_id", "topic",
              "topic_score", "sentiment", "comments_sentiment", "n_comments")  # fmt: skip
    return {
        **{name: meaning[name] for name in wanted},
        "kind": item["kind"],
        "given_language": item["language"],
        "transcript": transcript.get("status") or "none",
        "head": head[:300],
        "text": text[:_SHOWN],
        "is_bare": text == head,
        "n_chars": document["n_chars"],
        "n_words": 0 if text == head else len(text.split()),
        "repetition": round(zlib_ratio(text[:_READ]), 2),
        "nearest": round(likeness or 0.0, 4),
        "keywords": [keyword["text"] for keyword in meaning["keywords"] or ()],
        "tags": [
            (tag["tag_id"], round(float(tag["strength"]), 2), tag["is_label"])
            for tag in meaning["tags"] or ()
        ],
        "masked": json.loads(meaning["masked"] or "{}"),
        "models": json.loads(meaning["models"] or "{}"),
    }


def _counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    spoken = ("speech", "subtitles")
    return {
        "items": len(rows),
        "with text beside title and names": sum(not row["is_bare"] for row in rows),
        "with a transcript": sum(row["transcript"] in spoken for row in rows),
        "with a language told": sum(row["language"] is not None for row in rows),
        "whose language is not the one the dataset gives": sum(map(_is_other_language, rows)),
        "near a topic": sum(row["topic_id"] is not None for row in rows),
        "with a tag": sum(bool(row["tags"]) for row in rows),
        "with a tag the dataset did not give": sum(
            any(not is_label for _, _, is_label in row["tags"]) for row in rows
        ),
        "with comments": sum(bool(row["n_comments"]) for row in rows),
    }


def _is_other_language(row: Mapping[str, Any]) -> bool:
    given = (row["given_language"] or "").replace("_", "-").split("-")[0].lower()
    return bool(given and row["language"] and given != row["language"])


def _distributions(rows: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    lengths = dict.fromkeys(map(_length_class, _WORDS), 0)
    moods = dict.fromkeys(("very bad", "bad", "neutral", "good", "very good", "not told"), 0)
    for row in rows:
        lengths[_length_class(row["n_words"])] += 1
        moods[_mood(row["sentiment"])] += 1
    tags = Counter(tag_id for row in rows for tag_id, _, _ in row["tags"])
    mined = Counter(tag_id for row in rows for tag_id, _, is_label in row["tags"] if not is_label)
    return {
        "Words of an item, title and names aside": lengths,
        "Transcripts": dict(Counter(row["transcript"] for row in rows).most_common()),
        "Languages": dict(Counter(row["language"] or "not told" for row in rows).most_common(12)),
        "Mood of the texts": moods,
        "Topics": dict(Counter(row["topic"] or "near none" for row in rows).most_common(20)),
        "Tags, most carried": dict(tags.most_common(20)),
        "Tags found by likeness, most carried": dict(mined.most_common(20)),
    }


def _length_class(n_words: int) -> str:
    low = max(border for border in _WORDS if border <= n_words)
    place = _WORDS.index(low)
    if low == 0:
        return "none"
    if place + 1 == len(_WORDS):
        return f"{low:,} and more"
    return f"{low:,} to {_WORDS[place + 1] - 1:,}"


def _mood(sentiment: float | None) -> str:
    if sentiment is None:
        return "not told"
    for border, name in ((-0.5, "very bad"), (-0.1, "bad"), (0.1, "neutral"), (0.5, "good")):
        if sentiment < border:
            return name
    return "very good"


def _odd(rows: list[dict[str, Any]], n_odd: int) -> dict[str, list[dict[str, Any]]]:
    """Lists of extremes; an item may be in several."""

    def first(key: Any, some: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(some, key=lambda row: (key(row), row["item_id"]))[:n_odd]

    worded = [row for row in rows if not row["is_bare"]]
    return {
        "Emptiest": first(lambda row: row["n_words"], rows),
        "Farthest from all others": first(lambda row: row["nearest"], worded),
        "Most repetitive": first(
            lambda row: -row["repetition"], [row for row in worded if row["repetition"] > 3]
        ),
        "Of no known language": first(
            lambda row: -row["n_words"], [row for row in worded if row["language"] is None]
        ),
        "Of another language than the dataset gives": first(
            lambda row: -(row["language_confidence"] or 0.0),
            [row for row in rows if _is_other_language(row)],
        ),
    }


def _by_id(table: ShardedTable, shard: str, columns: list[str]) -> dict[str, dict[str, Any]]:
    return {row["item_id"]: row for row in table.read(shard, ["item_id", *columns]).to_pylist()}
