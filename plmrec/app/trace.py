"""Follows one item from its media to the vector that answers, with the digest of every step."""

from __future__ import annotations

from typing import Any, Final

from plmrec.app.context import Context, database_url, open_context
from plmrec.app.embed import CURRENT
from plmrec.app.explore import unknown_item
from plmrec.app.training_data import load_tags
from plmrec.digests import shard_of
from plmrec.errors import MissingStageError
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stores.database import open_database
from plmrec.stores.lineage import lineage_of
from plmrec.stores.tables import (
    documents_table,
    item_vectors_table,
    items_table,
    meanings_table,
    transcripts_table,
)
from plmrec.stores.workspace import ShardedTable

_TAGS: Final = 6  # of the strongest, named in one step


def trace(
    item: str, *, settings: Settings | None = None, params: Params | None = None
) -> dict[str, Any]:
    """Trace an item of the live generation back to its media and on to its release.

    Returns:
        ``item_id title kind`` and ``steps``, in the order of the chain. A step has ``step``,
        ``digest`` (as it went into the live generation), ``facts`` (words for people),
        ``is_current`` (whether the workspace still has that digest; None where there is nothing
        to compare), and the facts again, one by one, for programs.

    Raises:
        ParamsError: The live generation does not know the item.
        MissingStageError: No generation is live.
    """
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        row = lineage_of(pool, item)
    if row is None:
        raise unknown_item("trace", item, context)
    now = _Workspace(context, item, row["encoder_fingerprint"])
    return {
        "item_id": row["item_id"],
        "title": row["title"],
        "kind": row["kind"],
        "steps": [*_content_steps(row, now), *_answer_steps(row, now)],
    }


class _Workspace:
    """What the workspace knows of one item now."""

    def __init__(self, context: Context, item: str, fingerprint: str) -> None:
        workspace, n_shards = context.workspace, context.params.shards
        self.manifest = self._json(context, "dataset", "manifest.json")
        self.encoder = self._json(context, *CURRENT)
        self.item = _row(items_table(workspace, n_shards), item)
        self.transcript = _row(transcripts_table(workspace, n_shards), item)
        self.document = _row(documents_table(workspace, n_shards), item)
        self.vector = _row(item_vectors_table(workspace, n_shards, fingerprint), item)
        self.meaning = _row(meanings_table(workspace, n_shards, fingerprint), item)
        opened = load_tags(context, fingerprint)
        self.taxonomy = None if opened is None else opened[0]

    def _json(self, context: Context, *parts: str) -> dict[str, Any]:
        try:
            return dict(context.workspace.read_json(*parts))
        except MissingStageError:
            return {}


def _row(table: ShardedTable, item: str) -> dict[str, Any]:
    """Read one row of a table; empty when it is not there."""
    rows = table.read(table.shards[shard_of(item, table.n_shards)])
    place = rows.column("item_id").to_pylist()
    return rows.slice(place.index(item), 1).to_pylist()[0] if item in place else {}


def _content_steps(row: dict[str, Any], now: _Workspace) -> list[dict[str, Any]]:
    """Describe what the item's text was made of."""
    segments = now.transcript.get("segments") or []
    has_transcript = now.transcript.get("digest") == row["transcript_digest"]
    has_document = now.document.get("digest") == row["document_digest"]
    return [
        _step(
            "dataset",
            row["dataset_digest"],
            now.manifest.get("digest"),
            source=now.manifest.get("source"),
        ),
        _step("item", row["item_digest"], now.item.get("digest"), kind=row["kind"]),
        _step(
            "media",
            row["media_digest"],
            now.item.get("media_digest"),
            file=row["media"] or "none",
        ),
        _step(
            "transcript",
            row["transcript_digest"],
            now.transcript.get("digest"),
            status=row["transcript_status"],
            backend=row["transcript_backend"],
            segments=len(segments) if has_transcript else None,
        ),
        _step(
            "document",
            row["document_digest"],
            now.document.get("digest"),
            characters=now.document.get("n_chars") if has_document else None,
        ),
        _tags_step(row, now),
        _step("passages", None, None, passages=row["n_passages"], spoken=row["n_spoken"]),
    ]


def _tags_step(row: dict[str, Any], now: _Workspace) -> dict[str, Any]:
    """Describe the item's tags, by the taxonomy that the release was trained with.

    The live generation does not hold the tags: they are those of the workspace, which are named
    only while the workspace has that same taxonomy.
    """
    taxonomy, digest = now.taxonomy, row["taxonomy_digest"]
    tags = []
    if taxonomy is not None and taxonomy.digest == digest:
        names = {tag.tag_id: tag.name for tag in taxonomy.tags}
        carried = [tag for tag in now.meaning.get("tags") or () if tag["tag_id"] in names]
        tags = [f"{names[tag['tag_id']]} {tag['strength']:.2f}" for tag in carried[:_TAGS]]
    return _step(
        "tags",
        digest,
        None if taxonomy is None else taxonomy.digest,
        taxonomy=row["taxonomy_version"],
        carries="; ".join(tags),
    )


def _answer_steps(row: dict[str, Any], now: _Workspace) -> list[dict[str, Any]]:
    """Describe what turned the text into a vector, and what answers with it."""
    recall = row["recall_at_10"]
    return [
        _step(
            "encoder",
            row["encoder_fingerprint"],
            now.encoder.get("fingerprint"),
            encoder=row["encoder_name"],
        ),
        _step("vector", row["vector_digest"], now.vector.get("digest"), dimensions=row["dim"]),
        _step(
            "generation",
            row["generation_digest"],
            None,
            generation=row["generation_id"],
            recall_at_10=None if recall is None else round(recall, 4),
            built_at=row["built_at"].isoformat(timespec="seconds"),
            live_since=row["switched_at"].isoformat(timespec="seconds"),
        ),
        _step(
            "release",
            row["recommender_digest"],
            None,
            release=row["release_version"],
            state=row["release_state"],
            trained_on=row["trained_on"],
            git_commit=row["git_commit"],
            airflow_run=row["airflow_run"],
        ),
        _step("mlflow run", None, None, run_id=row["mlflow_run_id"]),
    ]


def _step(name: str, digest: str | None, current: str | None, **facts: Any) -> dict[str, Any]:
    known = {key: value for key, value in facts.items() if value not in (None, "")}
    return {
        "step": name,
        "digest": digest,
        "facts": ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in known.items()),
        "is_current": None if digest is None or current is None else digest == current,
        **known,
    }
