"""Compose the stage "embed": workspace, parameters and encoder, one shard or all of them."""

from __future__ import annotations

from typing import Final, cast

from plmrec.app.context import Context, open_context, save_report
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
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stages import embed as stage
from plmrec.types import StageReport

CURRENT: Final = ("embeddings", "current.json")  # which encoder's vectors the chain goes on with


def load_encoder(context: Context) -> Encoder:
    """Build the encoder that params.yaml names; its weights are loaded at first use.

    Raises:
        BackendUnavailableError: No such backend, or its weights are not there.
        ParamsError: The backend refuses an option.
    """
    params = context.params.encoder
    return cast("Encoder", build_backend("encoders", params.backend, params.options))


def encoder_fingerprint(context: Context) -> str:
    """Fingerprint of the encoder that params.yaml names, without loading its weights."""
    return load_encoder(context).fingerprint


def pending_shards(*, settings: Settings | None = None, params: Params | None = None) -> list[str]:
    """List the shards that have something to compute or to drop.

    Raises:
        MissingStageError: Items or transcripts are not there.
    """
    context = open_context(settings, params)
    opened = _open_tables(context, encoder_fingerprint(context))
    return [
        shard for shard in opened.item_vectors.shards if not _is_current(context, opened, shard)
    ]


def embed_shard(
    shard: str, *, settings: Settings | None = None, params: Params | None = None
) -> dict[str, object]:
    """Bring one shard up to date and return its report; see stages.embed.embed_shard."""
    context = open_context(settings, params)
    encoder = load_encoder(context)
    return _embed_shard(context, _open_tables(context, encoder.fingerprint), shard, encoder)


def finish_embed(
    reports: list[dict[str, object]],
    *,
    settings: Settings | None = None,
    params: Params | None = None,
) -> dict[str, object]:
    """Check that all shards are up to date, add up their reports, and name the current encoder.

    Args:
        reports: Of the shards embedded in this run; every other shard counts as reused.
        settings: Where to run; the environment by default.
        params: What to run; params.yaml by default.

    Raises:
        MissingStageError: A shard is not up to date.
    """
    context = open_context(settings, params)
    encoder = load_encoder(context)
    opened = _open_tables(context, encoder.fingerprint)
    every = complete_reports(
        "embed",
        reports,
        opened.item_vectors.shards,
        is_current=lambda shard: _is_current(context, opened, shard),
        reuse=lambda shard: _embed_shard(context, opened, shard, encoder),
    )
    merged = merge_reports("embed", every, opened.item_vectors.digest())
    merged.details.update(
        fingerprint=encoder.fingerprint,
        encoder=encoder.name,
        n_passages=sum(int(str(report["n_passages"])) for report in every),
        masked=add_counts(report["masked"] for report in every),
    )
    context.workspace.write_json(
        {
            "fingerprint": encoder.fingerprint,
            "name": encoder.name,
            "dim": encoder.dim,
            "digest": merged.digest,
        },
        *CURRENT,
    )
    return save_report(context, merged)


def embed(
    *,
    settings: Settings | None = None,
    params: Params | None = None,
    progress: Progress = no_progress,
) -> dict[str, object]:
    """Embed everything that is new or changed, in this process.

    Args:
        settings: Where to run; the environment by default.
        params: What to run; params.yaml by default.
        progress: Told items done and items to do, also once before the first.

    Returns:
        The stage's report; details: fingerprint, encoder, n_passages, masked.

    Raises:
        MissingStageError: Items or transcripts are not there.
    """
    context = open_context(settings, params)
    encoder = load_encoder(context)
    opened = _open_tables(context, encoder.fingerprint)
    inputs = {
        shard: stage.read_inputs(opened, shard, context.params.documents)
        for shard in opened.item_vectors.shards
    }
    total = sum(len(stage.stale_items(opened, *pair)) for pair in inputs.items())
    advance = count_up(progress, total)
    reports = [_embed_shard(context, opened, shard, encoder, advance) for shard in inputs]
    return finish_embed(reports, settings=context.settings, params=context.params)


def _embed_shard(
    context: Context,
    opened: stage.EmbedTables,
    shard: str,
    encoder: Encoder,
    advance: stage.Advance = lambda _: None,
) -> dict[str, object]:
    report: StageReport = stage.embed_shard(
        opened, shard, encoder=encoder, params=context.params.documents, advance=advance
    )
    return report.as_dict()


def _open_tables(context: Context, fingerprint: str) -> stage.EmbedTables:
    return stage.open_tables(
        context.workspace, n_shards=context.params.shards, fingerprint=fingerprint
    )


def _is_current(context: Context, opened: stage.EmbedTables, shard: str) -> bool:
    inputs = stage.read_inputs(opened, shard, context.params.documents)
    return stage.is_shard_current(opened, shard, inputs)
