"""The life of a release: candidate → challenger → champion → retired.

Each step is one transaction in PostgreSQL, which is the truth, and then a mirror of it in
MLflow's registry: aliases and tags. A process killed between the two leaves MLflow behind;
``reconcile`` brings it up again and may be run at any time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, Protocol

from plmrec.stores.releases import Release, ReleaseStore

log = logging.getLogger(__name__)

MODEL: Final = "plmrec"
ENCODER_MODEL: Final = "plmrec-encoder"
ALIASES: Final = ("champion", "challenger", "previous")
ABANDONED: Final = "abandoned"  # registered in MLflow, but its release was never written


class Version(Protocol):
    """What the registry knows of one version."""

    @property
    def tags(self) -> dict[str, str]:
        """Names and texts."""


class Mirror(Protocol):
    """The part of a model registry that shows the state of releases."""

    def versions(self) -> Mapping[int, Version]:
        """All versions by number."""

    def aliases(self) -> dict[str, int]:
        """Each alias and the version it names."""

    def set_alias(self, alias: str, version: int) -> None:
        """Point an alias at a version."""

    def delete_alias(self, alias: str) -> None:
        """Remove an alias."""

    def tag(self, version: int, tags: Mapping[str, str]) -> None:
        """Set tags on a version."""

    def describe(self, version: int, text: str) -> None:
        """Set the description of a version."""


class ReleaseLife:
    """Moves releases from state to state, in both places.

    Args:
        store: The truth.
        mirror: The registry that follows it.
        encoders: The registry of encoders, one version per fingerprint; its aliases follow the
            releases that use them. None leaves it alone.
    """

    def __init__(self, store: ReleaseStore, mirror: Mirror, encoders: Mirror | None = None) -> None:
        self._store = store
        self._mirror = mirror
        self._encoders = encoders

    def challenge(self, version: int) -> None:
        """Make a candidate the one challenger; a challenger before it is retired."""
        replaced = self._store.challenge(version)
        log.info("release %d is challenger, in place of %s", version, replaced)
        self.reconcile()

    def promote(self, version: int, decision: dict[str, Any]) -> int | None:
        """Make a release the champion.

        Args:
            version: A challenger, or any release that a person chose.
            decision: Verdict and reasons, kept on the release.

        Returns:
            The champion before it, None when there was none.
        """
        previous = self._store.crown(version, decision)
        log.info("release %d is champion, in place of %s", version, previous)
        self.reconcile()
        return previous

    def decide(self, version: int, decision: dict[str, Any], *, retire: bool) -> None:
        """Note a verdict that promotes nobody; a rejected challenger is retired."""
        self._store.decide(version, decision, retire=retire)
        log.info("release %d: %s", version, decision.get("verdict"))
        self.reconcile()

    def reconcile(self) -> list[str]:
        """Make MLflow's aliases and tags say what PostgreSQL says.

        Returns:
            What was repaired and what cannot be, one sentence each; empty when both agree.
        """
        releases = {release.version: release for release in self._store.all()}
        registered = self._mirror.versions()
        notes = [
            f"release {version} is missing in MLflow"
            for version in releases
            if version not in registered
        ]
        wanted = self._wanted_aliases(releases)
        notes += _repair_aliases(self._mirror, wanted, set(registered))
        if self._encoders is not None:
            notes += _follow(self._encoders, {name: releases[v] for name, v in wanted.items()})
        for version, known in registered.items():
            release = releases.get(version)
            tags = {"state": ABANDONED} if release is None else _tags(release)
            if any(known.tags.get(key) != value for key, value in tags.items()):
                self._mirror.tag(version, tags)
                self._mirror.describe(version, _describe(release))
                notes.append(f"version {version} is tagged {tags['state']}")
        return notes

    def _wanted_aliases(self, releases: dict[int, Release]) -> dict[str, int]:
        wanted = {
            release.state: version
            for version, release in sorted(releases.items())
            if release.state in ("champion", "challenger")
        }
        previous = self._store.previous()
        return wanted if previous is None else {**wanted, "previous": previous}


def _repair_aliases(mirror: Mirror, wanted: dict[str, int], registered: set[int]) -> list[str]:
    """Move and remove aliases until they are the wanted ones; return what was done."""
    found = mirror.aliases()
    notes = []
    for alias in ALIASES:
        version = wanted.get(alias)
        if version is None and alias in found:
            mirror.delete_alias(alias)
            notes.append(f"alias {alias} is removed")
        elif version in registered and found.get(alias) != version:
            mirror.set_alias(alias, version)
            notes.append(f"alias {alias} names version {version}")
    return notes


def _follow(encoders: Mirror, releases: dict[str, Release]) -> list[str]:
    """Point the encoders' aliases at the encoders of the releases with the same aliases."""
    registered = encoders.versions()
    by_fingerprint = {known.tags.get("fingerprint"): v for v, known in registered.items()}
    wanted = {
        alias: by_fingerprint[release.encoder_fingerprint]
        for alias, release in releases.items()
        if release.encoder_fingerprint in by_fingerprint
    }
    repaired = _repair_aliases(encoders, wanted, set(registered))
    return [f"encoder: {note}" for note in repaired]


def _tags(release: Release) -> dict[str, str]:
    decision = release.decision
    tags = {
        "state": release.state,
        "dataset_digest": release.dataset_digest,
        "encoder_fingerprint": release.encoder_fingerprint,
        "recommender_digest": release.recommender_digest,
        "taxonomy_version": str(release.taxonomy_version or ""),
        "taxonomy_digest": release.taxonomy_digest or "",
        "git_commit": release.git_commit,
        "airflow_run": release.airflow_run,
        "gate.status": str(decision.get("verdict", "")),
        "gate.policy_version": str(decision.get("policy_version", "")),
    }
    return {key: value for key, value in tags.items() if value or key == "state"}


def _describe(release: Release | None) -> str:
    if release is None:
        return "Registered, but training was interrupted before its release was written."
    verdict = release.decision.get("verdict")
    reasons = "; ".join(str(reason) for reason in release.decision.get("reasons", []))
    return f"{release.state}: {verdict}. {reasons}" if verdict else release.state
