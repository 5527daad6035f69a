"""Versions of the taxonomy in the workspace: a folder each, written once."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import safetensors.numpy

from plmrec.errors import MissingStageError
from plmrec.stores.workspace import Workspace
from plmrec.tags import Tag, Taxonomy

_FOLDER: Final = "taxonomy"
_ARRAYS: Final = ("vectors", "mean", "offsets", "scales")


def taxonomy_versions(workspace: Workspace) -> list[int]:
    """Versions in the workspace, oldest first."""
    return sorted(int(name) for name in workspace.list(_FOLDER) if name.isdecimal())


def save_taxonomy(workspace: Workspace, taxonomy: Taxonomy, *, recipe: str = "") -> None:
    """Write a new version; its description comes last, so that a folder with one is whole.

    Args:
        workspace: Where to.
        taxonomy: The new version.
        recipe: Digest of what it was asked for; see ``taxonomy_recipe``.
    """
    folder = (_FOLDER, str(taxonomy.version))
    workspace.write_json({"recipe": recipe}, *folder, "recipe.json")
    arrays = {name: getattr(taxonomy, name) for name in _ARRAYS}
    workspace.write_bytes(safetensors.numpy.save(arrays), *folder, "vectors.safetensors")
    described = {
        "version": taxonomy.version,
        "digest": taxonomy.digest,
        "fingerprint": taxonomy.fingerprint,
        "tags": [asdict(tag) for tag in taxonomy.tags],
    }
    workspace.write_json(described, *folder, "taxonomy.json")


def load_taxonomy(workspace: Workspace, version: int | None = None) -> Taxonomy:
    """Read a version of the taxonomy.

    Args:
        workspace: Where it is.
        version: The newest when None.

    Raises:
        MissingStageError: There is none, or no such version.
    """
    versions = taxonomy_versions(workspace)
    wanted = version if version is not None else (versions or [0])[-1]
    folder = (_FOLDER, str(wanted))
    if not workspace.exists(*folder, "taxonomy.json"):
        raise MissingStageError(
            f"taxonomy: expected version {wanted or 1} in {workspace.root}, found {versions}",
            hint="Run plmrec understand first",
        )
    described = workspace.read_json(*folder, "taxonomy.json")
    arrays = safetensors.numpy.load(workspace.read_bytes(*folder, "vectors.safetensors"))
    tags = tuple(Tag(**{**tag, "words": tuple(tag["words"])}) for tag in described.pop("tags"))
    return Taxonomy(tags=tags, **described, **{name: arrays[name] for name in _ARRAYS})


def taxonomy_recipe(workspace: Workspace, version: int) -> str:
    """Digest of what a version was asked for: parameters, tags, encoder; empty if unknown."""
    folder = (_FOLDER, str(version))
    if not workspace.exists(*folder, "recipe.json"):
        return ""
    return str(workspace.read_json(*folder, "recipe.json")["recipe"])
