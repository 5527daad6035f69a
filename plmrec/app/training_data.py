"""Opens the tables of the workspace that recommenders read: items, vectors and histories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plmrec.app.comments import comment_judge
from plmrec.app.context import Context
from plmrec.digests import shard_of
from plmrec.histories import Catalogue, Histories, TrainingData
from plmrec.recommend.reasons import ItemFacts
from plmrec.stages import training_data as stage
from plmrec.stores.tables import (
    interactions_table,
    item_vectors_table,
    items_table,
    meanings_table,
    users_table,
)
from plmrec.stores.taxonomies import load_taxonomy
from plmrec.stores.workspace import ShardedTable
from plmrec.tags import Taxonomy
from plmrec.text.privacy import mask_text

_ENOUGH_LIKES: Final = 5000  # to tell the usual weight from
_CARRIED: Final = 0.5  # strength from which a reason may say that an item has a tag


def load_data(context: Context, fingerprint: str | None) -> TrainingData:
    """Load everything a recommender is fitted on, with the vectors and tags of one encoder.

    None is for what reads neither vectors nor tags.
    """
    n_shards, vectors, tags = context.params.shards, None, None
    if fingerprint is not None:
        vectors = item_vectors_table(context.workspace, n_shards, fingerprint)
        tags = load_tags(context, fingerprint)
    return stage.load_training_data(
        items=items_table(context.workspace, n_shards),
        interactions=interactions_table(context.workspace, n_shards),
        vectors=vectors,
        feedback=context.params.feedback,
        tags=tags,
        feel=comment_judge(context),
    )


def load_catalogue(context: Context, fingerprint: str) -> Catalogue:
    """Load all items of the dataset, with the vectors of one encoder."""
    n_shards = context.params.shards
    return stage.load_catalogue(
        items_table(context.workspace, n_shards),
        item_vectors_table(context.workspace, n_shards, fingerprint),
        load_tags(context, fingerprint),
    )


def load_tags(context: Context, fingerprint: str) -> tuple[Taxonomy, ShardedTable] | None:
    """Open the taxonomy by which the items have tags, and the table that holds these.

    Returns:
        None where no meanings were written with the encoder, or no taxonomy has its vectors.
    """
    meanings = meanings_table(context.workspace, context.params.shards, fingerprint)
    versions = [
        pc.max(meanings.read(shard, ["taxonomy_version"]).column("taxonomy_version")).as_py()
        for shard in meanings.shards
    ]
    newest = max((version for version in versions if version is not None), default=None)
    if newest is None:
        return None
    taxonomy = load_taxonomy(context.workspace, newest)
    return (taxonomy, meanings) if taxonomy.fingerprint == fingerprint else None


def load_history(context: Context, catalogue: Catalogue, user: str) -> Histories:
    """Load what one user did: one row, empty for an unknown user; reads one shard."""
    rows = load_interactions(context, user)
    if not rows.num_rows:
        return Histories.empty((user,), catalogue.n_items)
    item_ids = pa.array(catalogue.item_ids, pa.string())
    feel = comment_judge(context)
    return stage.shard_histories(rows, item_ids, catalogue, context.params.feedback, feel)


def load_interactions(context: Context, user: str) -> pa.Table:
    """Load all rows of one user, columns ``COLUMNS`` of the stage; none for an unknown user."""
    table = interactions_table(context.workspace, context.params.shards)
    shard = table.read(table.shards[shard_of(user, table.n_shards)], stage.COLUMNS)
    return shard.filter(pc.equal(shard.column("user_id"), user)) if _is_text(user) else shard[:0]


def usual_weight_near(context: Context, catalogue: Catalogue, user: str) -> float:
    """Weight of the usual sign of interest, from one user's shard and as many more as it takes.

    Which shard a user is in is chance, so that a few thousand likes say what all of them would. All
    comments count as neither praise nor blame here, which moves a median little.
    """
    table = interactions_table(context.workspace, context.params.shards)
    item_ids = pa.array(catalogue.item_ids, pa.string())
    first = shard_of(user, table.n_shards)
    parts: list[Histories] = []
    for shard in table.shards[first:] + table.shards[:first]:
        rows = table.read(shard, stage.COLUMNS)
        parts.append(stage.shard_histories(rows, item_ids, catalogue, context.params.feedback))
        if sum(int(part.is_positive.sum()) for part in parts) >= _ENOUGH_LIKES:
            break
    return stage.join_users(parts, catalogue.n_items).usual_weight()


def load_everyone(context: Context, catalogue: Catalogue) -> Histories:
    """Load what every user did, sorted by id; users who did nothing yet have an empty row."""
    n_shards = context.params.shards
    interactions = interactions_table(context.workspace, n_shards)
    feel = comment_judge(context)
    histories = stage.load_histories(interactions, catalogue, context.params.feedback, feel)
    known = set(histories.user_ids)
    others: set[str] = set()
    for table in (users_table(context.workspace, n_shards), interactions):
        for shard in table.shards:
            ids = pc.unique(table.read(shard, ["user_id"]).column("user_id"))
            others.update(each for each in ids.to_pylist() if each not in known)
    ids = [*histories.user_ids, *others]
    ends = np.full(len(others), histories.indptr[-1], dtype=np.int64)
    everyone = replace(
        histories, user_ids=tuple(ids), indptr=np.concatenate([histories.indptr, ends])
    )
    return everyone.take(np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64))


def masker(context: Context) -> Callable[[str], str]:
    """What takes personal data out of a title or a name, if ``documents.mask`` says so."""
    return (lambda text: mask_text(text).text) if context.params.documents.mask else str


def item_facts(context: Context, catalogue: Catalogue) -> list[ItemFacts]:
    """Load what reasons may say of each item, in the order of the catalogue."""
    table = items_table(context.workspace, context.params.shards)
    places = catalogue.positions()
    facts = [ItemFacts(item_id=item_id, title=item_id) for item_id in catalogue.item_ids]
    tags = _names_carried(catalogue)
    clean = masker(context)
    for row in table.rows(["item_id", "title", "genres", "creators"]):
        place = places.get(row["item_id"])
        if place is not None:
            facts[place] = ItemFacts(
                item_id=row["item_id"],
                title=clean(row["title"] or "") or row["item_id"],
                genres=tuple(map(clean, row["genres"] or ())),
                creators=tuple(map(clean, row["creators"] or ())),
                tags=tags[place],
            )
    return facts


def _names_carried(catalogue: Catalogue) -> list[tuple[str, ...]]:
    """Names of the tags that each item carries with strength 1/2 or more, strongest first."""
    if catalogue.tags is None:
        return [()] * catalogue.n_items
    names, strengths = catalogue.tags.names, catalogue.tags.strengths
    found = []
    for start, end in zip(strengths.indptr[:-1], strengths.indptr[1:], strict=True):
        columns, values = strengths.indices[start:end], strengths.data[start:end]
        order = np.lexsort((columns, -values))
        found.append(
            tuple(dict.fromkeys(names[columns[n]] for n in order if values[n] >= _CARRIED))
        )
    return found


def _is_text(user: str) -> bool:
    """Tell whether an id is valid Unicode, as all ids of a dataset are."""
    try:
        user.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
