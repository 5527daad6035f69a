"""Encoders with vectors in the workspace: what each is needed for, and what may go."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from plmrec.app.context import Context, database_url, open_context
from plmrec.app.embed import CURRENT
from plmrec.app.releases import open_registry
from plmrec.errors import GateError, MissingStageError, ParamsError
from plmrec.params import Params
from plmrec.releases.life import ENCODER_MODEL
from plmrec.settings import Settings
from plmrec.stores.database import open_database
from plmrec.stores.generations import Live, live_pointer
from plmrec.stores.releases import ReleaseStore
from plmrec.stores.tables import item_vectors_table

_SHORTEST_PREFIX: Final = 6  # letters of a fingerprint that may stand for it


def list_encoders(
    *, settings: Settings | None = None, params: Params | None = None
) -> list[dict[str, Any]]:
    """List the encoders with vectors in the workspace, and those trained here without any.

    Returns:
        Dicts with ``fingerprint name use items passages bytes written versions folder``; ``use``
        says what it is needed for: ``current`` (the chain goes on with it), ``live``, ``previous``.
    """
    context = open_context(settings, params)
    uses = _uses(context)
    registered = open_registry(context, ENCODER_MODEL).versions()
    found: dict[str, dict[str, Any]] = {
        fingerprint: _described(context, fingerprint)
        for fingerprint in context.workspace.list("embeddings")
        if context.workspace.exists("embeddings", fingerprint, "items")
    }
    for number, version in registered.items():
        fingerprint = version.tags.get("fingerprint", "")
        row = found.setdefault(fingerprint, {"fingerprint": fingerprint})
        row.setdefault("versions", []).append(number)
        row["name"] = version.tags.get("name", "")
        row["folder"] = version.tags.get("folder", "")
    for fingerprint, row in found.items():
        row["use"] = uses.get(fingerprint, [])
        row["name"] = row.get("name") or _name_of(context, fingerprint)
    return sorted(found.values(), key=lambda row: (not row["use"], row["name"]))


def drop_vectors(
    fingerprint: str, *, settings: Settings | None = None, params: Params | None = None
) -> dict[str, Any]:
    """Remove the vectors of an encoder from the workspace; its weights and releases stay.

    Args:
        fingerprint: Of the encoder, or its first letters, at least six.
        settings: Where to run; the environment by default.
        params: params.yaml by default.

    Returns:
        ``fingerprint`` and ``bytes``, which were freed.

    Raises:
        ParamsError: No encoder, or more than one, begins like this.
        GateError: The vectors are needed: by what is live, by what a rollback brings back, by the
            champion or challenger, or by the chain.
    """
    context = open_context(settings, params)
    here = [
        name
        for name in context.workspace.list("embeddings")
        if context.workspace.exists("embeddings", name, "items")
    ]
    meant = [name for name in here if name.startswith(fingerprint)]
    if len(meant) != 1 or len(fingerprint) < _SHORTEST_PREFIX:
        raise ParamsError(
            f"encoder drop: expected the fingerprint of one encoder with vectors here, or its "
            f"first {_SHORTEST_PREFIX} letters, got {fingerprint!r}",
            hint="See `plmrec encoder list`",
        )
    if use := _uses(context).get(meant[0]):
        raise GateError(
            f"encoder drop: expected an encoder that nothing needs, got {meant[0]}, which is "
            f"{', '.join(use)}",
            hint="Upgrade to another encoder first; what a rollback needs goes with the next "
            "refresh",
        )
    n_bytes, _ = context.workspace.usage("embeddings", meant[0])
    context.workspace.remove("embeddings", meant[0])
    return {"fingerprint": meant[0], "bytes": n_bytes}


def _uses(context: Context) -> dict[str, list[str]]:
    """What each fingerprint is needed for."""
    needed: list[tuple[str, str]] = []
    if context.workspace.exists(*CURRENT):
        needed.append((str(context.workspace.read_json(*CURRENT)["fingerprint"]), "current"))
    with open_database(database_url(context)) as pool:
        live = _live(pool)
        if live is not None:
            needed.append((live.generation.encoder_fingerprint, "live"))
            if live.previous is not None:
                needed.append((live.previous.encoder_fingerprint, "previous"))
        needed += [
            (release.encoder_fingerprint, release.state)
            for release in ReleaseStore(pool).all()
            if release.state in {"champion", "challenger"}
        ]
    uses: dict[str, list[str]] = {}
    for fingerprint, use in needed:
        uses.setdefault(fingerprint, []).append(use)
    return uses


def _live(pool: Any) -> Live | None:
    try:
        return live_pointer(pool)
    except MissingStageError:
        return None


def _described(context: Context, fingerprint: str) -> dict[str, Any]:
    folder = ("embeddings", fingerprint)
    n_bytes, newest = context.workspace.usage(*folder)
    table = item_vectors_table(context.workspace, context.params.shards, fingerprint)
    column = "n_passages"
    counts = np.concatenate([table.read(shard, [column])[column] for shard in table.shards])
    return {
        "fingerprint": fingerprint,
        "items": int((counts > 0).sum()),  # with a text
        "passages": int(counts.sum()),
        "bytes": n_bytes,
        "written": newest.isoformat(timespec="seconds") if newest else None,
    }


def _name_of(context: Context, fingerprint: str) -> str:
    """Name of an encoder that is not registered: of the current one, else nothing."""
    if context.workspace.exists(*CURRENT):
        current = context.workspace.read_json(*CURRENT)
        if current["fingerprint"] == fingerprint:
            return str(current["name"])
    return ""
