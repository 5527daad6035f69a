"""Reads the workspace's tables into the arrays that recommenders are fitted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from plmrec.errors import DataContractError
from plmrec.histories import Catalogue, Floats, Histories, ItemTags, TrainingData
from plmrec.params import FeedbackParams
from plmrec.stages.preferences import EVENTS, Interactions, summarise
from plmrec.stores.workspace import ShardedTable
from plmrec.tags import Taxonomy
from plmrec.types import FloatMatrix

_ITEM_COLUMNS: Final = (
    "item_id", "title", "genres", "creators", "cast", "published_at", "duration_s",
)  # fmt: skip
COLUMNS: Final = ("user_id", "item_id", "event", "value", "text", "timestamp")

# Sentiment of each text, float64 (n,), in [-1, 1]; nan for a text it cannot judge.
FeelTexts: TypeAlias = Callable[[Sequence[str]], Floats]


def load_training_data(
    *,
    items: ShardedTable,
    interactions: ShardedTable,
    vectors: ShardedTable | None,
    feedback: FeedbackParams,
    tags: tuple[Taxonomy, ShardedTable] | None = None,
    feel: FeelTexts | None = None,
) -> TrainingData:
    """Everything a recommender is fitted on; items and users are sorted by id.

    Args:
        items: Accepted items.
        interactions: Accepted interactions.
        vectors: Item vectors of one encoder; None for recommenders that read no text.
        feedback: How interactions become preferences.
        tags: See ``load_catalogue``.
        feel: Judges comments; None takes all comments for neither praise nor blame.

    Raises:
        MissingStageError: The dataset is not in the workspace.
        DataContractError: Vectors differ in width.
    """
    catalogue = load_catalogue(items, vectors, tags)
    histories = load_histories(interactions, catalogue, feedback, feel)
    dated = histories.times[np.isfinite(histories.times)]
    now = float(dated.max()) if dated.size else 0.0
    unit = histories.usual_weight()
    return TrainingData(catalogue=catalogue, histories=histories.in_units(unit), now=now, unit=unit)


def load_catalogue(
    items: ShardedTable,
    vectors: ShardedTable | None,
    tags: tuple[Taxonomy, ShardedTable] | None = None,
) -> Catalogue:
    """All items, sorted by id, with their vectors; items without one have a row of zeros.

    Args:
        items: Accepted items.
        vectors: Item vectors of one encoder.
        tags: A taxonomy of the same encoder, and the meanings of the items.

    Raises:
        MissingStageError: The dataset is not in the workspace.
        DataContractError: Vectors differ in width.
    """
    table = items.read_all(list(_ITEM_COLUMNS))
    table = table.sort_by("item_id").combine_chunks()
    ids = table.column("item_id")
    return Catalogue(
        item_ids=tuple(ids.to_pylist()),
        vectors=None if vectors is None else _read_vectors(vectors, ids),
        published_at=_seconds(table.column("published_at")),
        duration_s=_floats(table.column("duration_s")),
        titles=tuple(title or "" for title in table.column("title").to_pylist()),
        genres=_labels(table.column("genres")),
        creators=_labels(table.column("creators")),
        cast=_labels(table.column("cast")),
        tags=None if tags is None else _read_tags(*tags, ids),
    )


def load_histories(
    interactions: ShardedTable,
    catalogue: Catalogue,
    feedback: FeedbackParams,
    feel: FeelTexts | None = None,
) -> Histories:
    """Histories of all users, sorted by id, read a shard at a time.

    Interactions with items outside the catalogue are left out.

    Raises:
        MissingStageError: The dataset is not in the workspace.
    """
    ids = pa.array(catalogue.item_ids, pa.string())
    if not any(interactions.exists(shard) for shard in interactions.shards):
        interactions.read_all(["user_id"])  # raises MissingStageError
    shards = [
        shard_histories(interactions.read(shard, COLUMNS), ids, catalogue, feedback, feel)
        for shard in interactions.shards
    ]
    return join_users(shards, catalogue.n_items)


def shard_histories(
    rows: pa.Table,
    item_ids: pa.Array,
    catalogue: Catalogue,
    feedback: FeedbackParams,
    feel: FeelTexts | None = None,
) -> Histories:
    """Histories of the users of some rows.

    Args:
        rows: Columns ``COLUMNS``; all rows of each user in it.
        item_ids: ``catalogue.item_ids`` as an Arrow array.
        catalogue: The items.
        feedback: How interactions become preferences.
        feel: See ``load_training_data``.
    """
    places = _codes(rows.column("item_id"), item_ids)
    events = _codes(rows.column("event"), pa.array([str(event) for event in EVENTS]))
    kept = (places >= 0) & (events >= 0)
    users = rows.column("user_id").combine_chunks()
    user_ids = pc.unique(users).sort()
    durations = catalogue.duration_s
    sentiments = None if feel is None else comment_sentiments(rows, feel)
    return summarise(
        Interactions(
            users=_codes(users, user_ids)[kept],
            items=places[kept],
            events=events[kept],
            values=_floats(rows.column("value"))[kept],
            times=_seconds(rows.column("timestamp"))[kept],
            sentiments=None if sentiments is None else sentiments[kept],
        ),
        durations_s=np.full(catalogue.n_items, np.nan) if durations is None else durations,
        user_ids=user_ids.to_pylist(),
        feedback=feedback,
    )


def comment_sentiments(rows: pa.Table, feel: FeelTexts) -> Floats | None:
    """Sentiment of each comment among some interactions, each text judged once.

    Returns:
        float64 (n,), nan where a row is no comment or has no words; None without any comment.
    """
    texts = pc.if_else(pc.equal(rows.column("event"), "comment"), rows.column("text"), None)
    words = pc.drop_null(pc.unique(texts.combine_chunks()))
    if not len(words):
        return None
    places = _codes(texts, words)
    said = np.append(np.asarray(feel(words.to_pylist()), dtype=np.float64), np.nan)
    return np.asarray(said[places])  # -1, no words, reads the nan at the end


def join_users(parts: list[Histories], n_items: int) -> Histories:
    """Histories of different users as one, sorted by user id; users without an entry are dropped.

    Raises:
        DataContractError: A user is in two parts.
    """
    ids = [name for part in parts for name in part.user_ids]
    if len(set(ids)) != len(ids):
        raise DataContractError("interactions: expected each user in one shard, found some in two")
    starts = np.cumsum([0, *(part.n_users for part in parts)])
    users = [part.users + start for part, start in zip(parts, starts, strict=False)]
    joined = np.concatenate([np.zeros(0, dtype=np.int64), *users])
    order = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
    order = order[np.isin(order, joined)]
    rank = np.zeros(len(ids), dtype=np.int64)
    rank[order] = np.arange(len(order))
    watched = [part.watch_shares for part in parts]
    known = [
        np.full(len(part.items), np.nan) if shares is None else shares
        for part, shares in zip(parts, watched, strict=True)
    ]
    return Histories.build(
        user_ids=[ids[row] for row in order],
        n_items=n_items,
        users=rank[joined],
        items=np.concatenate([np.zeros(0, dtype=np.int64), *(part.items for part in parts)]),
        weights=np.concatenate([np.zeros(0), *(part.weights for part in parts)]),
        times=np.concatenate([np.zeros(0), *(part.times for part in parts)]),
        watch_shares=None if all(shares is None for shares in watched) else np.concatenate(known),
    )


def _labels(column: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(names or ()) for names in column.to_pylist())


def _read_tags(taxonomy: Taxonomy, meanings: ShardedTable, item_ids: Any) -> ItemTags:
    """The strengths of all items; tags that this version of the taxonomy lacks are left out."""
    known = pa.array([tag.tag_id for tag in taxonomy.tags], pa.string())
    rows, columns, strengths = [], [], []
    for shard in meanings.shards:
        found = meanings.read(shard, ["item_id", "tags"]).combine_chunks()
        owners = pc.list_parent_indices(found.column("tags")).to_numpy(zero_copy_only=False)
        tags = pc.list_flatten(found.column("tags"))
        tags = tags.combine_chunks() if isinstance(tags, pa.ChunkedArray) else tags
        places = _codes(found.column("item_id"), item_ids)[owners]
        column = _codes(pc.struct_field(tags, "tag_id"), known)
        strength = _floats(pc.struct_field(tags, "strength"))
        kept = (places >= 0) & (column >= 0) & (strength > 0)
        rows.append(places[kept])
        columns.append(column[kept])
        strengths.append(strength[kept].astype(np.float32))
    entries = (np.concatenate(strengths), (np.concatenate(rows), np.concatenate(columns)))
    return ItemTags(
        version=taxonomy.version,
        digest=taxonomy.digest,
        tag_ids=tuple(tag.tag_id for tag in taxonomy.tags),
        names=tuple(tag.name for tag in taxonomy.tags),
        vectors=taxonomy.vectors,
        mean=taxonomy.mean,
        strengths=sp.csr_matrix(entries, shape=(len(item_ids), taxonomy.n_tags)),
    )


def _read_vectors(table: ShardedTable, item_ids: Any) -> FloatMatrix | None:
    """float32 (n_items, d), rows of zeros where an item has no vector; None without any vector."""
    found: FloatMatrix | None = None
    for shard in table.shards:
        rows = table.read(shard, ["item_id", "vector"]).combine_chunks()
        rows = rows.filter(pc.greater(pc.list_value_length(rows.column("vector")), 0))
        if not rows.num_rows:
            continue
        widths = pc.unique(pc.list_value_length(rows.column("vector"))).to_pylist()
        width = widths[0] if found is None else found.shape[1]
        if widths != [width]:
            raise DataContractError(f"{table.name}/{shard}: expected width {width}, got {widths}")
        if found is None:
            found = np.zeros((len(item_ids), width), dtype=np.float32)
        flat = pc.list_flatten(rows.column("vector")).to_numpy(zero_copy_only=False)
        places = _codes(rows.column("item_id"), item_ids)
        vectors = flat.reshape(-1, width)
        found[places[places >= 0]] = vectors[places >= 0]
    return found


def _codes(column: Any, values: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Place of each string among ``values``; -1 for others."""
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    found = pc.fill_null(pc.index_in(column, value_set=values), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


def _floats(column: Any) -> Floats:
    """Numbers with nan for null."""
    return np.asarray(pc.fill_null(column, np.nan).to_numpy(zero_copy_only=False), dtype=np.float64)


def _seconds(column: Any) -> Floats:
    """Timestamps as seconds since 1970, nan for null."""
    micros = pc.cast(pc.cast(column, pa.timestamp("us", tz="UTC")), pa.int64())
    return _floats(pc.cast(micros, pa.float64())) / 1e6
