"""Versions of the taxonomy in the workspace."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from plmrec.stores.versions import Versions
from plmrec.stores.workspace import Workspace
from plmrec.tags import Tag, Taxonomy

_ARRAYS: Final = ("vectors", "mean", "offsets", "scales")


def taxonomy_versions(workspace: Workspace) -> list[int]:
    """Versions in the workspace, oldest first."""
    return Versions(workspace, "taxonomy").all()


def save_taxonomy(workspace: Workspace, taxonomy: Taxonomy, *, recipe: str = "") -> None:
    """Write a new version.

    Args:
        workspace: Where to.
        taxonomy: The new version.
        recipe: Digest of what it was asked for; see ``taxonomy_recipe``.
    """
    described = {
        "digest": taxonomy.digest,
        "fingerprint": taxonomy.fingerprint,
        "recipe": recipe,
        "tags": [asdict(tag) for tag in taxonomy.tags],
    }
    arrays = {name: getattr(taxonomy, name) for name in _ARRAYS}
    Versions(workspace, "taxonomy").save(taxonomy.version, described, arrays)


def load_taxonomy(workspace: Workspace, version: int | None = None) -> Taxonomy:
    """Read a version of the taxonomy, the newest when None.

    Raises:
        MissingStageError: There is none, or no such version.
    """
    described, arrays = Versions(workspace, "taxonomy").load(version)
    return Taxonomy(
        version=described["version"],
        digest=described["digest"],
        fingerprint=described["fingerprint"],
        tags=tuple(Tag(**{**tag, "words": tuple(tag["words"])}) for tag in described["tags"]),
        vectors=arrays["vectors"],
        mean=arrays["mean"],
        offsets=arrays["offsets"],
        scales=arrays["scales"],
    )


def taxonomy_recipe(workspace: Workspace, version: int) -> str:
    """Digest of what a version was asked for: parameters, tags, encoder; empty if unknown.

    Raises:
        MissingStageError: There is no such version.
    """
    return str(Versions(workspace, "taxonomy").describe(version).get("recipe", ""))
