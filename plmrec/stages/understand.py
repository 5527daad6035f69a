"""Stage "understand": what each document says and is about, one row per item.

A row is computed from its document, the passages' vectors, the item's labels and comments, the
versions of taxonomy and topics, and the models in use; its digest holds all of them, so that a
change of one item's words computes exactly that item's row again.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plmrec.digests import digest_json, digest_rows
from plmrec.errors import MissingStageError
from plmrec.params import TaxonomyParams
from plmrec.stages.content_vectors import Contents, read_contents
from plmrec.stages.embed import count_masked
from plmrec.stages.incremental import is_current, stale_keys, update_shard
from plmrec.stages.taxonomy import body
from plmrec.stores import tables
from plmrec.stores.workspace import ShardedTable, Workspace
from plmrec.tags import Taxonomy
from plmrec.types import StageReport
from plmrec.understanding.base import (
    Encode,
    KeywordFinder,
    Language,
    LanguageFinder,
    SentimentJudge,
    Summariser,
    Texts,
)
from plmrec.understanding.tag_lists import label_id
from plmrec.understanding.taxonomy import tag_items
from plmrec.understanding.topics import Topics, assign_topics

log = logging.getLogger(__name__)

Advance: TypeAlias = Callable[[int], None]

_VERSION: Final = 1  # raise it when the same inputs give other rows
_ITEMS_AT_ONCE: Final = 512  # candidates of so many are encoded together, each once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readers:
    """Who understands: a backend for each field, the tags and topics, and the encoder.

    Attributes:
        options: What params.yaml says of the backends; a part of every row's digest.
        encoder: Name and fingerprint of the encoder, for the rows.
    """

    language: LanguageFinder
    summary: Summariser
    keywords: KeywordFinder
    sentiment: SentimentJudge
    taxonomy: Taxonomy
    topics: Topics
    tagging: TaxonomyParams
    encode: Encode
    encoder: str
    options: Mapping[str, Any]

    def made_by(self) -> dict[str, str]:
        """Field -> model and version that makes it."""
        tags = f"taxonomy {self.taxonomy.version} ({self.taxonomy.digest[:12]}), {self.encoder}"
        return {
            "language": self.language.made_by,
            "summary": f"{self.summary.made_by}, {self.encoder}",
            "keywords": f"{self.keywords.made_by}, {self.encoder}",
            "sentiment": self.sentiment.made_by,
            "comments_sentiment": self.sentiment.made_by,
            "topic": f"topics {self.topics.version} ({self.topics.digest[:12]}), {self.encoder}",
            "tags": tags,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderstandTables:
    """What the stage reads, and the table it writes (meanings), of one encoder."""

    items: ShardedTable
    documents: ShardedTable
    passages: ShardedTable
    item_vectors: ShardedTable
    comments: ShardedTable
    meanings: ShardedTable


def open_tables(workspace: Workspace, *, n_shards: int, fingerprint: str) -> UnderstandTables:
    """Open the stage's tables for one encoder.

    Raises:
        MissingStageError: Not everything was embedded with this encoder.
    """
    opened = UnderstandTables(
        items=tables.items_table(workspace, n_shards),
        documents=tables.documents_table(workspace, n_shards),
        passages=tables.passages_table(workspace, n_shards, fingerprint),
        item_vectors=tables.item_vectors_table(workspace, n_shards, fingerprint),
        comments=tables.comments_table(workspace, n_shards),
        meanings=tables.meanings_table(workspace, n_shards, fingerprint),
    )
    if not (opened.item_vectors.is_complete and opened.documents.is_complete):
        raise MissingStageError(
            f"understand: expected all {n_shards} shards of {opened.item_vectors.name} in "
            f"{workspace.root}, found some or all missing",
            hint="Run plmrec embed first",
        )
    return opened


def read_inputs(opened: UnderstandTables, shard: str, readers: Readers) -> dict[str, str]:
    """Digest what each row of a shard depends on, by item_id; reads no vectors and no texts."""
    common = digest_json([_VERSION, readers.made_by(), dict(readers.options)])
    documents = _column(opened.documents, shard, "digest")
    vectors = _column(opened.item_vectors, shard, "digest")
    comments = _column(opened.comments, shard, "digest")
    labels = opened.items.read(shard, ["item_id", "language", "genres", "creators"]).to_pylist()
    return {
        row["item_id"]: digest_json(
            [
                common,
                documents[row["item_id"]],
                vectors[row["item_id"]],
                comments.get(row["item_id"]),
                [row["language"], row["genres"], row["creators"]],
            ]
        )
        for row in labels
        if row["item_id"] in vectors and row["item_id"] in documents
    }


def is_shard_current(opened: UnderstandTables, shard: str, inputs: Mapping[str, str]) -> bool:
    """Tell whether a shard holds exactly the rows that its inputs call for."""
    return is_current(opened.meanings, shard, inputs)


def stale_items(opened: UnderstandTables, shard: str, inputs: Mapping[str, str]) -> list[str]:
    """Items of a shard whose row is missing or out of date, sorted."""
    return stale_keys(opened.meanings, shard, inputs)


def understand_shard(
    opened: UnderstandTables, shard: str, readers: Readers, advance: Advance = lambda _: None
) -> StageReport:
    """Bring one shard up to date.

    Args:
        opened: From ``open_tables``, with the encoder's fingerprint.
        shard: One of the shards of all tables.
        readers: Used for items that are new or changed.
        advance: Told the number of items finished since the last call.

    Returns:
        Items in and out; details: shard, taxonomy_version, topics_version, and masked, which counts
        the personal data in the documents by kind.
    """
    started = time.perf_counter()
    inputs = read_inputs(opened, shard, readers)

    def compute(keys: Sequence[str]) -> list[dict[str, Any]]:
        known = _read_known(opened, shard, keys)
        rows: list[dict[str, Any]] = []
        for start in range(0, len(keys), _ITEMS_AT_ONCE):
            some = keys[start : start + _ITEMS_AT_ONCE]
            rows += _understand(known, some, readers, inputs)
            advance(len(some))
        return rows

    outcome = update_shard(opened.meanings, shard, inputs=inputs, compute=compute)
    log.info("understand %s: %d computed of %d", shard, len(outcome.computed), len(inputs))
    return StageReport(
        stage="understand",
        n_in=len(inputs),
        n_out=len(outcome.rows),
        computed=len(outcome.computed),
        reused=outcome.reused,
        seconds=time.perf_counter() - started,
        digest=digest_rows((row["item_id"], row["digest"]) for row in outcome.rows),
        details={
            "shard": shard,
            "taxonomy_version": readers.taxonomy.version,
            "topics_version": readers.topics.version,
            "masked": count_masked(opened.documents, shard),
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Known:
    """What the tables say of some items of a shard, read once."""

    documents: Mapping[str, Mapping[str, Any]]
    items: Mapping[str, Mapping[str, Any]]
    comments: Mapping[str, Mapping[str, Any]]
    contents: Contents
    places: Mapping[str, int]


def _read_known(opened: UnderstandTables, shard: str, keys: Sequence[str]) -> _Known:
    contents = read_contents(opened.passages, shard)
    return _Known(
        documents=_rows(opened.documents, shard, keys, ["text", "masked"]),
        items=_rows(opened.items, shard, keys, ["language", "genres", "creators"]),
        comments=_rows(opened.comments, shard, keys, ["n_comments", "texts"]),
        contents=contents,
        places={item_id: place for place, item_id in enumerate(contents.item_ids)},
    )


def _understand(
    known: _Known, keys: Sequence[str], readers: Readers, inputs: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows of some items, in the order of the keys."""
    documents, items, comments = known.documents, known.items, known.comments
    vectors = known.contents.vectors[[known.places[key] for key in keys]]
    texts = [body(documents[key]["text"]) for key in keys]
    # Names and labels alone have keywords, but tell no language and no mood, and sum nothing up.
    written = [
        text if "\n\n" in documents[key]["text"] else ""
        for key, text in zip(keys, texts, strict=True)
    ]
    found = readers.language.find(written)
    spoken = [
        _known_language(items[key]["language"], each) for key, each in zip(keys, found, strict=True)
    ]
    about = Texts(texts=written, languages=spoken, vectors=vectors, corpus=readers.topics.corpus)
    columns: dict[str, Sequence[Any]] = {
        "summary": readers.summary.summarise(about, readers.encode),
        "keywords": [
            [keyword._asdict() for keyword in some]
            for some in readers.keywords.find(replace(about, texts=texts), readers.encode)
        ],
        "sentiment": readers.sentiment.judge(written, spoken),
    }
    topics = assign_topics(readers.topics, vectors)
    labels = [_labels(items[key]) for key in keys]
    tags = tag_items(
        readers.taxonomy,
        vectors,
        labels,
        min_strength=readers.tagging.min_strength,
        max_tags=readers.tagging.max_tags,
    )
    made_by = json.dumps(readers.made_by(), sort_keys=True)
    rows = []
    for place, key in enumerate(keys):
        language, topic, said = found[place], topics[place], comments.get(key)
        row: dict[str, Any] = {
            "item_id": key,
            "language": language.code if language else None,
            "language_confidence": language.confidence if language else None,
            **{name: column[place] for name, column in columns.items()},
            "topic_id": topic.topic_id if topic else None,
            "topic": topic.label if topic else None,
            "topic_score": topic.score if topic else None,
            "comments_sentiment": _mood(said["texts"], readers) if said else None,
            "n_comments": said["n_comments"] if said else 0,
            "tags": [tag._asdict() for tag in tags[place]],
            "masked": documents[key]["masked"],
            "models": made_by,
            "taxonomy_version": readers.taxonomy.version,
        }
        rows.append({**row, "digest": _digest(row, inputs[key])})
    return rows


def _known_language(given: str | None, found: Language | None) -> str | None:
    """Code of the language to read a text in: the one the dataset gives, else the one found."""
    if given and given.strip():
        return given.strip().replace("_", "-").split("-")[0].lower()
    return found.code if found else None


def _labels(item: Mapping[str, Any]) -> list[str]:
    genres = [label_id("genre", name) for name in item["genres"] or ()]
    return [*genres, *(label_id("creator", name) for name in item["creators"] or ())]


def _mood(texts: Sequence[str], readers: Readers) -> float | None:
    """Mean sentiment of comments; None when none of them can be told."""
    languages = [found.code if found else None for found in readers.language.find(texts)]
    scores = [score for score in readers.sentiment.judge(texts, languages) if score is not None]
    return round(float(np.mean(scores)), 4) if scores else None


def _digest(row: Mapping[str, Any], input_digest: str) -> str:
    """Digest of a row: its inputs and its words, never float bits."""
    keywords = [keyword["text"] for keyword in row["keywords"]]
    tags = [tag["tag_id"] for tag in row["tags"]]
    return digest_json(
        [input_digest, row["language"], row["summary"], keywords, row["topic_id"], tags]
    )


def _column(table: ShardedTable, shard: str, name: str) -> dict[str, str]:
    rows = table.read(shard, ["item_id", name])
    return dict(zip(rows["item_id"].to_pylist(), rows[name].to_pylist(), strict=True))


def _rows(
    table: ShardedTable, shard: str, keys: Sequence[str], columns: Sequence[str]
) -> dict[str, dict[str, Any]]:
    wanted = pc.is_in(pc.field("item_id"), pa.array(keys, pa.string()))
    rows = table.read(shard, ["item_id", *columns]).filter(wanted).to_pylist()
    return {row["item_id"]: row for row in rows}
