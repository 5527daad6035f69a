"""Stage "embed": items and transcripts in, documents, passage vectors and item vectors out.

One shard at a time: documents, then passages, then item vectors, each file written whole. A row
of the item vectors is the mark that its item is finished. Every row carries the digest of what it
was computed from, so that a killed run, repeated, leaves what an undisturbed one would have left.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from plmrec.digests import digest_json, digest_rows
from plmrec.encoders.base import Encoder
from plmrec.errors import MissingStageError
from plmrec.params import DocumentParams
from plmrec.stages.incremental import is_current, stale_keys, update_shard
from plmrec.stages.item_vectors import EncodedItem, encode_items
from plmrec.stores import tables
from plmrec.stores.workspace import ShardedTable, Workspace
from plmrec.text import privacy
from plmrec.text.documents import Document, ItemText, compose_document, mask_item
from plmrec.types import Segment, StageReport

log = logging.getLogger(__name__)

Advance: TypeAlias = Callable[[int], None]

_VERSION: Final = 2  # raise it when the same inputs give other rows
_COLUMNS: Final = ("title", "description", "genres", "creators", "cast", "published_at")
_ITEMS_AT_ONCE: Final = 256  # sorted by length together: at 64, a third of the work is padding


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedTables:
    """What the stage reads (items, transcripts) and writes (the rest, of one encoder)."""

    items: ShardedTable
    transcripts: ShardedTable
    documents: ShardedTable
    passages: ShardedTable
    item_vectors: ShardedTable
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardInputs:
    """Digests of what each item's rows are computed from, by item_id.

    Attributes:
        transcripts: Digest of the item's transcript.
        documents: Of the item's texts and its transcript.
        vectors: Of the document's inputs, how it is cut and summed up, and the encoder.
    """

    transcripts: Mapping[str, str]
    documents: Mapping[str, str]
    vectors: Mapping[str, str]


def open_tables(workspace: Workspace, *, n_shards: int, fingerprint: str) -> EmbedTables:
    """Open the stage's tables for one encoder.

    Raises:
        MissingStageError: Items or transcripts are not there, or not all of them.
    """
    opened = EmbedTables(
        items=tables.items_table(workspace, n_shards),
        transcripts=tables.transcripts_table(workspace, n_shards),
        documents=tables.documents_table(workspace, n_shards),
        passages=tables.passages_table(workspace, n_shards, fingerprint),
        item_vectors=tables.item_vectors_table(workspace, n_shards, fingerprint),
        fingerprint=fingerprint,
    )
    for table, stage in ((opened.items, "validate"), (opened.transcripts, "transcribe")):
        if not table.is_complete:
            raise MissingStageError(
                f"embed: expected all {n_shards} shards of {table.name} in {workspace.root}, "
                f"found {sum(map(table.exists, table.shards))}",
                hint=f"Run plmrec {stage} first",
            )
    return opened


def read_inputs(opened: EmbedTables, shard: str, params: DocumentParams) -> ShardInputs:
    """Digest what the rows of a shard depend on; reads no vectors and no segments.

    Raises:
        MissingStageError: An item has no transcript row.
    """
    known = opened.transcripts.read(shard, ["item_id", "digest"])
    transcripts = dict(zip(known["item_id"].to_pylist(), known["digest"].to_pylist(), strict=True))
    items = _item_texts(opened, shard, params)
    if missing := sorted(items.keys() - transcripts.keys()):
        raise MissingStageError(
            f"embed: expected a transcript row for every item of {shard}, missing for "
            f"{len(missing)}: {missing[:5]}",
            hint="Run plmrec transcribe first",
        )
    documents = {
        item_id: digest_json(
            {
                "version": _VERSION,
                "mask": privacy.VERSION if params.mask else None,
                "about": asdict(about),
                "transcript": transcripts[item_id],
            }
        )
        for item_id, about in items.items()
    }
    settings = {"fingerprint": opened.fingerprint, "documents": params.model_dump()}
    vectors = {
        item_id: digest_json({"version": _VERSION, "document": digest, **settings})
        for item_id, digest in documents.items()
    }
    return ShardInputs(
        transcripts={item_id: transcripts[item_id] for item_id in documents},
        documents=documents,
        vectors=vectors,
    )


def stale_items(opened: EmbedTables, shard: str, inputs: ShardInputs) -> list[str]:
    """Items of a shard whose passages or vector are missing or out of date, sorted."""
    return sorted(
        {
            *stale_keys(opened.passages, shard, inputs.vectors),
            *stale_keys(opened.item_vectors, shard, inputs.vectors),
        }
    )


def is_shard_current(opened: EmbedTables, shard: str, inputs: ShardInputs) -> bool:
    """Tell whether a shard holds exactly the rows its inputs call for, in all three tables."""
    return (
        is_current(opened.documents, shard, inputs.documents)
        and is_current(opened.passages, shard, inputs.vectors)
        and is_current(opened.item_vectors, shard, inputs.vectors)
    )


def embed_shard(
    opened: EmbedTables,
    shard: str,
    *,
    encoder: Encoder,
    params: DocumentParams,
    advance: Advance = lambda _: None,
) -> StageReport:
    """Bring one shard up to date.

    Args:
        opened: From ``open_tables``, with this encoder's fingerprint.
        shard: One of the shards of all tables.
        encoder: Used for items that are new or changed; untouched when there are none.
        params: How documents are put together and cut.
        advance: Told the number of items finished since the last call.

    Returns:
        Items in and out; details: shard, fingerprint, n_passages, and masked, which counts the
        personal data in the documents by kind.

    Raises:
        MissingStageError: An item has no transcript row.
    """
    started = time.perf_counter()
    inputs = read_inputs(opened, shard, params)
    stale = stale_items(opened, shard, inputs)
    written = stale_keys(opened.documents, shard, inputs.documents)
    composed = _compose(opened, shard, sorted({*stale, *written}), params)
    _update_documents(opened, shard, inputs, composed)
    encoded: dict[str, EncodedItem] = {}
    for documents in _in_groups({key: composed[key] for key in stale}):
        encoded |= encode_items(documents, encoder=encoder, params=params)
        advance(len(documents))
    if not is_current(opened.passages, shard, inputs.vectors):
        _write_passages(opened, shard, inputs, encoded)
    outcome = update_shard(
        opened.item_vectors,
        shard,
        inputs=inputs.vectors,
        compute=lambda keys: [encoded[key].vector_row(key, inputs.vectors[key]) for key in keys],
    )
    log.info("embed %s: %d computed, %d in all", shard, len(stale), len(inputs.vectors))
    return StageReport(
        stage="embed",
        n_in=len(inputs.vectors),
        n_out=len(outcome.rows),
        computed=len(stale),
        reused=len(inputs.vectors) - len(stale),
        seconds=time.perf_counter() - started,
        digest=digest_rows((row["item_id"], row["digest"]) for row in outcome.rows),
        details={
            "shard": shard,
            "fingerprint": opened.fingerprint,
            "n_passages": sum(row["n_passages"] for row in outcome.rows),
            "masked": count_masked(opened.documents, shard),
        },
    )


def count_masked(documents: ShardedTable, shard: str) -> dict[str, int]:
    """Personal data masked in the documents of a shard, by kind."""
    found = documents.read(shard, ["masked"]).column("masked").drop_null().to_pylist()
    total: Counter[str] = Counter()
    for counts in found:
        total.update(json.loads(counts))
    return dict(sorted(total.items()))


def _update_documents(
    opened: EmbedTables, shard: str, inputs: ShardInputs, composed: Mapping[str, Document]
) -> None:
    def row(item_id: str, document: Document) -> dict[str, Any]:
        text = document.text
        return {
            "item_id": item_id,
            "text": text,
            "n_chars": len(text),
            "transcript_digest": inputs.transcripts[item_id],
            "masked": json.dumps(document.masked) if document.masked else None,
            "digest": document.digest,
        }

    update_shard(
        opened.documents,
        shard,
        inputs=inputs.documents,
        compute=lambda keys: [row(key, composed[key]) for key in keys],
    )


def _compose(
    opened: EmbedTables, shard: str, keys: Sequence[str], params: DocumentParams
) -> dict[str, Document]:
    """Documents of some items of a shard, by item_id, in the order of the keys."""
    if not keys:
        return {}
    wanted = pc.is_in(pc.field("item_id"), pa.array(keys, pa.string()))
    spoken = opened.transcripts.read(shard, ["item_id", "segments"]).filter(wanted).to_pylist()
    segments = {row["item_id"]: row["segments"] or [] for row in spoken}
    known = _item_texts(opened, shard, params)
    documents = {}
    for key in keys:
        about, said = known[key], [Segment(**segment) for segment in segments[key]]
        masked: dict[str, int] = {}
        if params.mask:
            about, said, masked = mask_item(about, said)
        documents[key] = compose_document(about, said, masked=masked)
    return documents


def _item_texts(opened: EmbedTables, shard: str, params: DocumentParams) -> dict[str, ItemText]:
    rows = opened.items.read(shard, ["item_id", *_COLUMNS]).to_pylist()
    return {
        row["item_id"]: ItemText(
            title=row["title"] or "",
            year=row["published_at"].year if row["published_at"] else None,
            description=row["description"] or "",
            genres=tuple(row["genres"] or ()),
            creators=tuple(row["creators"] or ()),
            cast=tuple(row["cast"] or ())[: params.cast_names],
        )
        for row in rows
    }


def _in_groups(documents: Mapping[str, Document]) -> Iterator[dict[str, Document]]:
    pairs = list(documents.items())
    for start in range(0, len(pairs), _ITEMS_AT_ONCE):
        yield dict(pairs[start : start + _ITEMS_AT_ONCE])


def _write_passages(
    opened: EmbedTables, shard: str, inputs: ShardInputs, encoded: Mapping[str, EncodedItem]
) -> None:
    """Replace the passages of the items encoded now, keep the others, drop what is gone."""
    kept_ids = pa.array([key for key in inputs.vectors if key not in encoded], pa.string())
    kept = opened.passages.read(shard).filter(pc.is_in(pc.field("item_id"), kept_ids))
    fresh = [
        row
        for item_id, item in encoded.items()
        for row in item.passage_rows(item_id, inputs.vectors[item_id])
    ]
    fresh_table = pa.Table.from_pylist(fresh, schema=opened.passages.schema)
    # The rows kept, if any, may be of a table written before it had all its columns.
    table = pa.concat_tables([kept, fresh_table], promote_options="default")
    order = [("item_id", "ascending"), ("passage_no", "ascending")]
    opened.passages.write(shard, table.sort_by(order))
