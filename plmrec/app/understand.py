"""Compose the stage "understand": encoder, backends, taxonomy and topics, shard by shard."""

from __future__ import annotations

from typing import Any, Final, cast

from plmrec.app.context import Context, open_context, save_report
from plmrec.app.embed import load_encoder
from plmrec.app.shards import (
    Progress,
    add_counts,
    complete_reports,
    count_up,
    merge_reports,
    no_progress,
)
from plmrec.backends import build_backend
from plmrec.encoders.base import Encoder
from plmrec.errors import MissingStageError
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stages import comments as comments_stage
from plmrec.stages import taxonomy as taxonomy_stage
from plmrec.stages import understand as stage
from plmrec.stores.tables import comments_table, interactions_table
from plmrec.stores.taxonomies import load_taxonomy

UNDERSTOOD: Final = ("embeddings", "understood.json")  # versions the chain goes on with
_FIELDS: Final = ("language", "summary", "keywords", "sentiment")


def prepare(*, settings: Settings | None = None, params: Params | None = None) -> list[str]:
    """Gather comments, settle on versions of taxonomy and topics, and list the shards to do.

    Raises:
        MissingStageError: Not everything was embedded with the current encoder.
        ParamsError: The list of curated tags is not valid.
    """
    context = open_context(settings, params)
    encoder = load_encoder(context)
    _prepare(context, encoder)
    readers, opened = _readers(context, encoder), _open_tables(context)
    return [shard for shard in opened.meanings.shards if not _is_current(opened, shard, readers)]


def understand_shard(
    shard: str, *, settings: Settings | None = None, params: Params | None = None
) -> dict[str, object]:
    """Bring one shard up to date and return its report; see stages.understand."""
    context = open_context(settings, params)
    readers = _readers(context, load_encoder(context))
    return stage.understand_shard(_open_tables(context), shard, readers).as_dict()


def finish_understand(
    reports: list[dict[str, object]],
    *,
    settings: Settings | None = None,
    params: Params | None = None,
) -> dict[str, object]:
    """Check that all shards are up to date and add up their reports.

    Args:
        reports: Of the shards understood in this run; every other shard counts as reused.
        settings: Where to run; the environment by default.
        params: What to run; params.yaml by default.

    Returns:
        The stage's report; details: fingerprint, encoder, taxonomy_version, topics_version, n_tags,
        n_topics, masked.

    Raises:
        MissingStageError: A shard is not up to date.
    """
    context = open_context(settings, params)
    readers, opened = _readers(context, load_encoder(context)), _open_tables(context)
    every = complete_reports(
        "understand",
        reports,
        opened.meanings.shards,
        is_current=lambda shard: _is_current(opened, shard, readers),
        reuse=lambda shard: stage.understand_shard(opened, shard, readers).as_dict(),
    )
    merged = merge_reports("understand", every, opened.meanings.digest())
    merged.details.update(
        fingerprint=readers.taxonomy.fingerprint,
        encoder=load_encoder(context).name,
        taxonomy_version=readers.taxonomy.version,
        topics_version=readers.topics.version,
        n_tags=readers.taxonomy.n_tags,
        n_topics=len(readers.topics.ids),
        masked=add_counts(cast("dict[str, int]", report["masked"]) for report in every),
    )
    return save_report(context, merged)


def understand(
    *,
    settings: Settings | None = None,
    params: Params | None = None,
    progress: Progress = no_progress,
) -> dict[str, object]:
    """Understand everything that is new or changed, in this process.

    Args:
        settings: Where to run; the environment by default.
        params: What to run; params.yaml by default.
        progress: Told items done and items to do, also once before the first.

    Returns:
        The stage's report; see ``finish_understand``.

    Raises:
        MissingStageError: Not everything was embedded with the current encoder.
        ParamsError: The list of curated tags is not valid.
    """
    context = open_context(settings, params)
    encoder = load_encoder(context)
    _prepare(context, encoder)
    readers, opened = _readers(context, encoder), _open_tables(context)
    inputs = {shard: stage.read_inputs(opened, shard, readers) for shard in opened.meanings.shards}
    total = sum(len(stage.stale_items(opened, *pair)) for pair in inputs.items())
    advance = count_up(progress, total)
    reports: list[dict[str, object]] = [
        stage.understand_shard(opened, shard, readers, advance).as_dict() for shard in inputs
    ]
    return finish_understand(reports, settings=context.settings, params=context.params)


def renew(*, settings: Settings | None = None, params: Params | None = None) -> dict[str, Any]:
    """Make taxonomy and topics of the corpus as it is now; a version that says the same stays.

    Returns:
        ``taxonomy_version n_tags topics_version n_topics``.
    """
    context = open_context(settings, params)
    encoder = load_encoder(context)
    _prepare(context, encoder, anew=True)
    readers = _readers(context, encoder)
    return {
        "taxonomy_version": readers.taxonomy.version,
        "n_tags": readers.taxonomy.n_tags,
        "topics_version": readers.topics.version,
        "n_topics": len(readers.topics.ids),
    }


def _prepare(context: Context, encoder: Encoder, *, anew: bool = False) -> None:
    n_shards = context.params.shards
    _open_tables(context)
    comments_stage.gather_comments(
        interactions_table(context.workspace, n_shards), comments_table(context.workspace, n_shards)
    )
    taxonomy, topics = taxonomy_stage.prepare(
        taxonomy_stage.open_sources(
            context.workspace, n_shards=n_shards, fingerprint=encoder.fingerprint
        ),
        taxonomy_stage.Asked(
            params=context.params.understanding,
            seed=context.params.seed,
            encode=encoder.encode,
            anew=anew,
        ),
    )
    chosen = {"taxonomy": taxonomy.version, "topics": topics.version}
    context.workspace.write_json(chosen, *UNDERSTOOD)


def _readers(context: Context, encoder: Encoder) -> stage.Readers:
    """Build the backends, and read the versions that ``prepare`` settled on."""
    params = context.params.understanding
    backends = {
        field: build_backend(
            f"understanding.{field}",
            getattr(params, field).backend,
            getattr(params, field).options,
        )
        for field in _FIELDS
    }
    chosen = context.workspace.read_json(*UNDERSTOOD)
    taxonomy = load_taxonomy(context.workspace, chosen["taxonomy"])
    if taxonomy.fingerprint != encoder.fingerprint:
        raise MissingStageError(
            "understand: expected a taxonomy with the vectors of the encoder in params.yaml, got "
            f"version {taxonomy.version} of another",
            hint="Run plmrec embed and plmrec understand",
        )
    return stage.Readers(
        **backends,
        taxonomy=taxonomy,
        topics=taxonomy_stage.current_topics(context.workspace, chosen["topics"]),
        tagging=params.taxonomy,
        encode=encoder.encode,
        encoder=f"{encoder.name} {encoder.fingerprint[:12]}",
        options={
            **{field: getattr(params, field).model_dump() for field in _FIELDS},
            "tagging": [params.taxonomy.min_strength, params.taxonomy.max_tags],
        },
    )


def _open_tables(context: Context) -> stage.UnderstandTables:
    fingerprint = load_encoder(context).fingerprint
    return stage.open_tables(
        context.workspace, n_shards=context.params.shards, fingerprint=fingerprint
    )


def _is_current(opened: stage.UnderstandTables, shard: str, readers: stage.Readers) -> bool:
    return stage.is_shard_current(opened, shard, stage.read_inputs(opened, shard, readers))
