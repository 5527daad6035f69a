"""What goes into a generation: embedded items and their passages, joined shard by shard."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from plmrec.digests import digest_json, digest_rows
from plmrec.errors import MissingStageError
from plmrec.stores.quarantine import Quarantine, Refusal
from plmrec.stores.tables import (
    documents_table,
    item_vectors_table,
    items_table,
    passages_table,
    transcripts_table,
)
from plmrec.stores.workspace import ShardedTable, Workspace
from plmrec.text.privacy import mask_text
from plmrec.types import FloatMatrix

log = logging.getLogger(__name__)

_BATCH: Final = 2048  # rows turned into Python objects at a time
_NORM_TOLERANCE: Final = 1e-3
_ITEM_COLUMNS: Final = (
    "item_id",
    "kind",
    "title",
    "language",
    "genres",
    "creators",
    "published_at",
    "media",
    "media_digest",
    "digest",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSources:
    """The tables of the workspace that a generation is built from.

    Attributes:
        encoder_name: For people; the fingerprint is part of the tables' names.
        dataset_digest: Digest of the dataset that the tables were computed from.
        quarantine: Where items that cannot be indexed go.
        mask: Whether personal data in titles and names is masked before it leaves the workspace.
    """

    items: ShardedTable
    transcripts: ShardedTable
    documents: ShardedTable
    vectors: ShardedTable
    passages: ShardedTable
    encoder_name: str
    dataset_digest: str
    quarantine: Quarantine
    mask: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRows:
    """The part of one shard that goes into the index, and the part that does not.

    Attributes:
        items: Rows with the columns of a generation's table of items.
        refusals: One per item left out.
    """

    items: list[dict[str, Any]]
    refusals: list[Refusal]


def open_sources(
    workspace: Workspace,
    *,
    n_shards: int,
    fingerprint: str,
    dataset_digest: str,
    mask: bool = True,
) -> IndexSources:
    """Open the tables that hold the vectors of one encoder and what they came from.

    Raises:
        MissingStageError: Not every shard was embedded with this encoder.
    """
    vectors = item_vectors_table(workspace, n_shards, fingerprint)
    passages = passages_table(workspace, n_shards, fingerprint)
    if not (vectors.is_complete and passages.is_complete):
        raise MissingStageError(
            f"refresh: expected all {n_shards} shards of {vectors.name}, the vectors of the "
            "champion's encoder, found some or all missing",
            hint="Run `plmrec embed`, and `plmrec train` if the encoder was changed",
        )
    current = workspace.read_json("embeddings", "current.json")
    return IndexSources(
        items=items_table(workspace, n_shards),
        transcripts=transcripts_table(workspace, n_shards),
        documents=documents_table(workspace, n_shards),
        vectors=vectors,
        passages=passages,
        encoder_name=str(current["name"]) if current["fingerprint"] == fingerprint else "",
        dataset_digest=dataset_digest,
        quarantine=Quarantine(workspace),
        mask=mask,
    )


def digest_sources(sources: IndexSources) -> tuple[str, int]:
    """Digest everything that a generation is built from.

    Returns:
        The digest, and the number of embedded items.
    """
    shards = []
    n_items = 0
    for shard in sources.vectors.shards:
        tables = (sources.vectors, sources.items, sources.transcripts, sources.documents)
        parts = []
        for table in tables:
            rows = table.read(shard, ["item_id", "digest"]).to_pylist()
            n_items += len(rows) if table is sources.vectors else 0
            parts.append(digest_rows((row["item_id"], row["digest"]) for row in rows))
        passages = sources.passages.read(shard, ["item_id", "passage_no", "digest"]).to_pylist()
        parts.append(
            digest_rows(
                (f"{row['item_id']}\0{row['passage_no']}", row["digest"]) for row in passages
            )
        )
        shards.append(parts)
    return digest_json([sources.vectors.name, shards]), n_items


def vector_width(sources: IndexSources) -> int:
    """Width that most item vectors have, from the first shard with any; 0 when there are none."""
    for shard in sources.vectors.shards:
        column = sources.vectors.read(shard, ["vector"]).column("vector")
        widths = Counter(pc.list_value_length(column).drop_null().to_pylist())
        if widths:
            return int(widths.most_common(1)[0][0])
    return 0


def read_items(sources: IndexSources, shard: str, *, dim: int) -> ShardRows:
    """Join the embedded items of a shard with what they came from.

    An item is left out when it is not in the dataset, when a vector of it is not a unit vector
    of the right width, or when the passages its vector was made of are not all there.
    """
    known = _by_id(sources.items, shard, _ITEM_COLUMNS)
    transcripts = _by_id(sources.transcripts, shard, ("item_id", "status", "backend", "digest"))
    counts, broken = _count_passages(sources, shard, dim=dim)
    rows: list[dict[str, Any]] = []
    refusals: list[Refusal] = []
    for row, vector in _with_vectors(sources.vectors.read(shard), dim=dim):
        item_id = row["item_id"]
        item = known.get(item_id)
        problem = _problem(row, item, vector, counts.get(item_id, 0), item_id in broken)
        if problem is not None or item is None:
            reason, detail = problem or ("", "")
            origin = f"{sources.vectors.name}/{shard}"
            refusals.append(
                Refusal(
                    stage="refresh",
                    table="items",
                    key=item_id,
                    reason=reason,
                    detail=detail,
                    origin=origin,
                )
            )
            continue
        known_as = _masked(item) if sources.mask else item
        rows.append(_item_row(row, known_as, transcripts.get(item_id, {}), vector))
    return ShardRows(items=rows, refusals=refusals)


def read_passages(
    sources: IndexSources, shard: str, *, dim: int, item_ids: set[str]
) -> Iterator[dict[str, Any]]:
    """Iterate over the passages of some items of a shard, in batches of bounded size."""
    for row, vector in _with_vectors(sources.passages.read(shard), dim=dim):
        if row["item_id"] in item_ids:
            yield {**row, "embedding": vector}


def _masked(item: dict[str, Any]) -> dict[str, Any]:
    """An item without personal data in its title and labels; its passages never had any."""
    labels = {
        name: [mask_text(label).text for label in item[name] or []]
        for name in ("genres", "creators")
    }
    return {**item, "title": mask_text(item["title"] or "").text, **labels}


def _item_row(
    row: dict[str, Any], item: dict[str, Any], transcript: dict[str, Any], vector: Any
) -> dict[str, Any]:
    taken = {name: item[name] for name in _ITEM_COLUMNS if name != "digest"}
    return {
        **taken,
        "genres": item["genres"] or [],
        "creators": item["creators"] or [],
        "item_digest": item["digest"],
        "transcript_status": transcript.get("status"),
        "transcript_backend": transcript.get("backend"),
        "transcript_digest": transcript.get("digest"),
        "document_digest": row["document_digest"],
        "vector_digest": row["digest"],
        "n_passages": row["n_passages"] or 0,
        "embedding": vector,
    }


def _problem(
    row: dict[str, Any], item: object, vector: object, n_passages: int, is_broken: bool
) -> tuple[str, str] | None:
    """Say why an item cannot go into the index: a reason code and a sentence."""
    if item is None:
        return "unknown_item", "expected an item of the dataset, got none with this id"
    if vector is None or is_broken:
        what = "the item" if vector is None else "a passage"
        return "bad_vector", f"expected a unit vector of the encoder's width for {what}"
    if n_passages != (row["n_passages"] or 0):
        return "bad_passages", f"expected {row['n_passages']} passages, found {n_passages}"
    return None


def _count_passages(
    sources: IndexSources, shard: str, *, dim: int
) -> tuple[dict[str, int], set[str]]:
    """Count the passages of each item, and name the items with a bad passage vector."""
    counts: dict[str, int] = {}
    broken: set[str] = set()
    for row, vector in _with_vectors(sources.passages.read(shard, ["item_id", "vector"]), dim=dim):
        counts[row["item_id"]] = counts.get(row["item_id"], 0) + 1
        if vector is None:
            broken.add(row["item_id"])
    return counts, broken


def _with_vectors(
    table: pa.Table, *, dim: int
) -> Iterator[tuple[dict[str, Any], FloatMatrix | None]]:
    """Iterate over rows without their vector, and the vector; None for one that is unusable."""
    for batch in table.to_batches(max_chunksize=_BATCH):
        matrix, usable = unit_vectors(batch.column("vector"), dim=dim)
        rows = batch.drop_columns(["vector"]).to_pylist()
        for place, row in enumerate(rows):
            yield row, matrix[place] if usable[place] else None


def unit_vectors(column: pa.Array, *, dim: int) -> tuple[FloatMatrix, npt.NDArray[np.bool_]]:
    """Turn a column of lists into a matrix, and tell which rows are unit vectors.

    Args:
        column: n lists of float32, of any length, or null.
        dim: Width that a vector should have.

    Returns:
        float32 of shape (n, dim), zero where a list has another length; and bool of shape (n,).
    """
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    fits = lengths == dim
    matrix = np.zeros((len(column), dim), dtype=np.float32)
    values = column.filter(pa.array(fits)).flatten().to_numpy(zero_copy_only=False)
    matrix[fits] = values.reshape(-1, dim)
    norms = np.linalg.norm(matrix, axis=1)
    return matrix, fits & (np.abs(norms - 1.0) <= _NORM_TOLERANCE)


def _by_id(table: ShardedTable, shard: str, columns: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    return {row["item_id"]: row for row in table.read(shard, columns).to_pylist()}
