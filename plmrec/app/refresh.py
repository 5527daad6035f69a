"""Composes the index: refresh it for the champion, roll it back, show what is live."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any, Final

from plmrec.app.context import Context, database_url, open_context, save_report
from plmrec.app.releases import open_life, open_registry
from plmrec.errors import MissingStageError, PlmrecError
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stages.index_rows import open_sources
from plmrec.stages.refresh import OnProgress, refresh_index
from plmrec.stores.database import Pool, open_database
from plmrec.stores.generations import Generation, Live, list_generations, live_pointer, roll_back
from plmrec.stores.releases import Release, ReleaseStore

log = logging.getLogger(__name__)

GENERATION_TAG: Final = "index_generation"  # on a release's version in MLflow


def refresh(
    *,
    settings: Settings | None = None,
    params: Params | None = None,
    progress: OnProgress | None = None,
) -> dict[str, object]:
    """Build the champion's generation of the index, measure it and let it answer.

    Args:
        settings: Where to run; the environment by default.
        params: What to run; params.yaml by default.
        progress: Told steps done and steps in all.

    Returns:
        The report of stage ``refresh``, with ``generation``, ``release``, ``recall_at_10``,
        ``switched``, ``n_passages``, ``previous`` and ``dropped``.

    Raises:
        MissingStageError: No champion yet, or its vectors are not all in the workspace.
        GateError: The new generation was refused; the live one stays.
    """
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        release = _champion(pool)
        sources = open_sources(
            context.workspace,
            n_shards=context.params.shards,
            fingerprint=release.encoder_fingerprint,
            dataset_digest=context.workspace.read_json("dataset", "manifest.json")["digest"],
            mask=context.params.documents.mask,
        )
        report = refresh_index(
            pool=pool,
            release=release,
            sources=sources,
            index=context.params.index,
            seed=context.params.seed,
            on_progress=progress,
        )
        # Should MLflow fail here, a retry finds the generation live and mirrors it then.
        _mirror(context, pool, live_pointer(pool))
    return save_report(context, report)


def rollback(*, settings: Settings | None = None, params: Params | None = None) -> dict[str, Any]:
    """Swap back to the previous generation, and to its release as champion.

    Answers change with the first transaction; MLflow follows. When it cannot, that is told in
    ``mlflow`` and not raised, because a second rollback would undo the first.

    Raises:
        MissingStageError: There is no previous generation.
    """
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        live = roll_back(pool)
        log.info("rolled back to generation %d", live.generation.generation_id)
        mlflow = "in step"
        try:
            _mirror(context, pool, live)
        except PlmrecError as err:
            log.warning("mlflow is behind: %s", err)
            mlflow = f"behind, the next refresh repairs it: {err}"
    return {**_describe(live), "mlflow": mlflow}


def show_live(*, settings: Settings | None = None, params: Params | None = None) -> dict[str, Any]:
    """Show the live generation, the one kept for a rollback, and all others ever built.

    Raises:
        MissingStageError: No generation ever went live.
    """
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        live = live_pointer(pool)
        generations = [_describe_generation(each) for each in list_generations(pool)]
    return {**_describe(live), "generations": generations}


def has_champion(*, settings: Settings | None = None, params: Params | None = None) -> bool:
    """Tell whether there is a champion to build an index for."""
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        return ReleaseStore(pool).in_state("champion") is not None


def _champion(pool: Pool) -> Release:
    release = ReleaseStore(pool).in_state("champion")
    if release is None:
        raise MissingStageError(
            "refresh: expected a release in state champion, found no champion yet",
            hint="Run `plmrec train` and `plmrec evaluate` first",
        )
    return release


def _mirror(context: Context, pool: Pool, live: Live) -> None:
    """Bring MLflow in step with PostgreSQL: aliases, states, and the generation of each release."""
    open_life(context, pool).reconcile()
    registry = open_registry(context)
    known = registry.versions()
    for generation in filter(None, (live.previous, live.generation)):
        version, value = generation.release_version, str(generation.generation_id)
        if version in known and known[version].tags.get(GENERATION_TAG) != value:
            registry.tag(version, {GENERATION_TAG: value})


def _describe(live: Live) -> dict[str, Any]:
    previous = live.previous
    return {
        "generation": live.generation.generation_id,
        "release": live.generation.release_version,
        "recall_at_10": live.generation.recall_at_10,
        "n_items": live.generation.n_items,
        "n_passages": live.generation.n_passages,
        "encoder": live.generation.encoder_name,
        "encoder_fingerprint": live.generation.encoder_fingerprint,
        "digest": live.generation.digest,
        "switched_at": live.switched_at.isoformat(),
        "previous": previous.generation_id if previous else None,
        "previous_release": previous.release_version if previous else None,
    }


def _describe_generation(generation: Generation) -> dict[str, Any]:
    return {**asdict(generation), "created_at": generation.created_at.isoformat()}
