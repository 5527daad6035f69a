"""Questions to the live index: items similar to an item, passages that match words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from plmrec.app.context import Context, database_url, open_context
from plmrec.digests import shard_of
from plmrec.encoders.base import Encoder, encode_queries
from plmrec.errors import ParamsError
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stores.database import Connection, Pool, open_database
from plmrec.stores.generations import Generation, live_pointer
from plmrec.stores.live import (
    IndexedItem,
    IndexedPassage,
    ask_live,
    check_query,
    items_by_id,
    nearest_passages_of,
    search_items,
    search_passages,
    vector_of,
)
from plmrec.stores.quarantine import Quarantine
from plmrec.stores.tables import items_table
from plmrec.types import Reason


def similar(
    item: str, k: int = 10, *, settings: Settings | None = None, params: Params | None = None
) -> list[dict[str, Any]]:
    """List the k items most similar to an item, best first; see ``similar_to``.

    Raises:
        ParamsError: The live generation does not know the item.
        MissingStageError: No generation is live.
    """
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        found = similar_to(pool, item, k=k)
    if found is None:
        raise unknown_item("similar", item, context)
    return found


def search(
    words: str, k: int = 10, *, settings: Settings | None = None, params: Params | None = None
) -> list[dict[str, Any]]:
    """List the k items with the passages that match some words best; see ``search_words``.

    Raises:
        ParamsError: There are no words, or params.yaml names another encoder than the one that
            made the live generation.
        MissingStageError: No generation is live.
    """
    from plmrec.app.embed import load_encoder

    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        return search_words(pool, load_encoder(context), words, k=k)


def similar_to(pool: Pool, item: str, *, k: int) -> list[dict[str, Any]] | None:
    """List the k items most similar to an item by their vectors, best first, each with a reason.

    Returns:
        Dicts with ``rank item_id title kind score reason release``; None for an unknown item.
    """

    def question(conn: Connection, live: Generation) -> list[dict[str, Any]] | None:
        query = vector_of(conn, live, item)
        if query is None:
            return None
        hits = search_items(conn, live, query, k=k, exclude=[item])
        items = items_by_id(conn, live, [item, *(hit.item_id for hit in hits)])
        close = nearest_passages_of(conn, live, [hit.item_id for hit in hits], query, k=1)
        return [
            {
                **_head(rank, items[hit.item_id], hit.score, live),
                "reason": asdict(_reason(items[item], items[hit.item_id], close)),
            }
            for rank, hit in enumerate(hits, start=1)
        ]

    return ask_live(pool, question)


def search_words(pool: Pool, encoder: Encoder, words: str, *, k: int) -> list[dict[str, Any]]:
    """List the k items whose best passage is nearest to some words, best first.

    Args:
        pool: Of the database.
        encoder: The one whose vectors the live generation holds.
        words: A question or any other text.
        k: Items to return.

    Returns:
        Dicts with ``rank item_id title kind score passage start_s end_s release``; the times are
        None for a passage that was not spoken.
    """
    if not words.strip():
        raise ParamsError("search: expected some words, got none")
    check_encoder(encoder, live_pointer(pool).generation)
    query = encode_queries(encoder, [words])[0]

    def question(conn: Connection, live: Generation) -> list[dict[str, Any]]:
        check_encoder(encoder, live)  # again, in the snapshot that answers
        check_query(query, live)
        passages = search_passages(conn, live, query, k=k)
        items = items_by_id(conn, live, [passage.item_id for passage in passages])
        return [
            {
                **_head(rank, items[passage.item_id], passage.score or 0.0, live),
                "passage": passage.text,
                "start_s": passage.start_s,
                "end_s": passage.end_s,
            }
            for rank, passage in enumerate(passages, start=1)
        ]

    return ask_live(pool, question)


def check_encoder(encoder: Encoder, live: Generation) -> None:
    """Refuse an encoder whose vectors the live generation does not hold.

    Raises:
        ParamsError: The fingerprints differ.
    """
    if encoder.fingerprint != live.encoder_fingerprint:
        raise ParamsError(
            f"search: expected the encoder of live generation {live.generation_id}, "
            f"{live.encoder_name} {live.encoder_fingerprint[:12]}, got {encoder.name} "
            f"{encoder.fingerprint[:12]}",
            hint="Correct `encoder` in params.yaml, or run the chain with the new encoder",
        )


def unknown_item(command: str, item: str, context: Context) -> ParamsError:
    """Say that the live generation does not know an item, and what to do about it."""
    hint = "Find items with `plmrec search`"
    table = items_table(context.workspace, context.params.shards)
    text = item.encode("utf-8", "replace").decode()
    shard = table.shards[shard_of(item, table.n_shards)]
    if item in table.read(shard, ["item_id"]).column("item_id").to_pylist():
        hint = "It is in the dataset; run `plmrec embed` and `plmrec refresh` to index it"
    else:
        for refusal in Quarantine(context.workspace).list():
            if refusal.key == item and refusal.table in {"items", "media"}:
                hint = f"It is in quarantine ({refusal.reason}); see `plmrec quarantine list`"
    return ParamsError(
        f"{command}: expected an item of the live generation, got {text!r}", hint=hint
    )


def _head(rank: int, item: IndexedItem, score: float, live: Generation) -> dict[str, Any]:
    return {
        "rank": rank,
        "item_id": item.item_id,
        "title": item.title,
        "kind": item.kind,
        "score": score,
        "release": str(live.release_version),
    }


def _reason(
    item: IndexedItem, other: IndexedItem, close: dict[str, list[IndexedPassage]]
) -> Reason:
    """Say what two items have in common: tags when they share any, else the closest passage."""
    tags = [tag for tag in other.genres if tag in item.genres]
    creators = [name for name in other.creators if name in item.creators]
    if tags or creators:
        shared = [*tags, *(f"by {name}" for name in creators)]
        text = f"Shares {', '.join(shared)} with “{item.title}”"
        names = (*tags, *creators)
        return Reason(kind="tags", text=text, item_ids=(item.item_id,), tags=names)
    for passage in close.get(other.item_id, []):
        return Reason(
            kind="passage",
            text=passage.text,
            item_ids=(item.item_id,),
            start_s=passage.start_s,
            end_s=passage.end_s,
        )
    return Reason(kind="passage", text=other.title, item_ids=(item.item_id,))
