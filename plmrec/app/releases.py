"""Composes releases: their registry in MLflow, their rows in PostgreSQL, their files here."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plmrec.app.context import Context, database_url, open_context, tracking_uri
from plmrec.errors import DataContractError
from plmrec.params import Params
from plmrec.releases.life import ENCODER_MODEL, MODEL, ReleaseLife
from plmrec.settings import Settings
from plmrec.stores.database import Pool, open_database
from plmrec.stores.releases import Release, ReleaseStore
from plmrec.stores.state_folder import digest_state

if TYPE_CHECKING:
    from plmrec.tracking.registry import Registry

log = logging.getLogger(__name__)


def open_registry(context: Context, model: str = MODEL) -> Registry:
    """Open the registered model in MLflow.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
    """
    from plmrec.tracking.connection import connect
    from plmrec.tracking.registry import Registry

    return Registry(connect(tracking_uri(context)), model)


def open_life(context: Context, pool: Pool) -> ReleaseLife:
    """Open the life of releases, mirrored in both registered models.

    Raises:
        ServiceUnavailableError: MLflow does not answer.
    """
    return ReleaseLife(
        ReleaseStore(pool), open_registry(context), open_registry(context, ENCODER_MODEL)
    )


def artifact_root(context: Context) -> str | None:
    """URL under which new experiments keep their files; None where a server decides."""
    if tracking_uri(context).startswith(("http://", "https://")):
        return None
    if context.workspace.is_local:
        return context.workspace.local("mlflow", "artifacts").as_uri()
    return f"{context.settings.workspace.rstrip('/')}/mlflow/artifacts"


def mlflow_run_url(context: Context, run_id: str) -> str:
    """Page of a run in MLflow's screens; empty when no server shows any."""
    uri = tracking_uri(context)
    if not uri.startswith(("http://", "https://")):
        return ""
    from plmrec.tracking.connection import connect
    from plmrec.tracking.runs import experiment_of

    experiment = experiment_of(connect(uri), run_id)
    return f"{uri.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"


def list_releases(
    *, settings: Settings | None = None, params: Params | None = None
) -> list[dict[str, Any]]:
    """List all releases, newest first."""
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        return [_describe(release) for release in ReleaseStore(pool).all()]


def reconcile(*, settings: Settings | None = None, params: Params | None = None) -> list[str]:
    """Bring MLflow's aliases and tags in step with PostgreSQL; return what was repaired."""
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        return open_life(context, pool).reconcile()


def release_folder(context: Context, release: Release) -> Path:
    """Folder with the fitted state of a release; fetched from MLflow when it is not here yet.

    Raises:
        DataContractError: What MLflow holds is not what was released.
        ServiceUnavailableError: It is not here and MLflow does not answer.
    """
    folder = state_cache(context, str(release.version))
    if digest_state(folder) == release.recommender_digest:
        return folder
    from plmrec.tracking.connection import connect
    from plmrec.tracking.folder_model import fetch_folder
    from plmrec.tracking.registry import Registry

    log.info("fetching release %d from MLflow", release.version)
    client = connect(tracking_uri(context))
    fetch_folder(client, Registry(client, MODEL).version(release.version).source, folder)
    if digest_state(folder) != release.recommender_digest:
        raise DataContractError(
            f"release {release.version}: expected state {release.recommender_digest[:12]}, MLflow "
            f"holds {digest_state(folder)[:12] or 'none'}",
            hint="Its artifacts were changed; promote another release",
        )
    return folder


def state_cache(context: Context, name: str) -> Path:
    """Folder for a fitted state: in the workspace, or on this machine when that is remote."""
    if context.workspace.is_local:
        return context.workspace.local("releases", name)
    place = hashlib.blake2b(context.workspace.root.encode(), digest_size=8).hexdigest()
    return Path(tempfile.gettempdir()) / f"plmrec-{place}" / "releases" / name


def pseudonym_key(context: Context) -> str:
    """Key of the pseudonyms of users: the one set, else one made for this workspace."""
    if context.settings.pseudonym_key is not None:
        return context.settings.pseudonym_key.get_secret_value()
    place = ("platform", "pseudonym.key")
    if not context.workspace.exists(*place):
        key = secrets.token_hex(32).encode()
        if context.workspace.is_local:
            write_private(context.workspace.local(*place), key)
        else:
            context.workspace.write_bytes(key, *place)
    return context.workspace.read_bytes(*place).decode()


def write_private(path: Path, data: bytes) -> None:
    """Write a new file that only its owner may read; one that is there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    try:
        os.link(temporary, path)
    except FileExistsError:
        log.debug("another process made %s first", path.name)
    finally:
        temporary.unlink()


def _describe(release: Release) -> dict[str, Any]:
    return {
        "version": release.version,
        "state": release.state,
        "verdict": release.decision.get("verdict"),
        "dataset_digest": release.dataset_digest,
        "encoder_fingerprint": release.encoder_fingerprint,
        "recommender_digest": release.recommender_digest,
        "taxonomy_version": release.taxonomy_version,
        "taxonomy_digest": release.taxonomy_digest,
        "mlflow_run_id": release.mlflow_run_id,
        "git_commit": release.git_commit,
        "airflow_run": release.airflow_run,
        "created_at": release.created_at.isoformat() if release.created_at else None,
        "metrics": release.metrics,
        "decision": release.decision,
    }
