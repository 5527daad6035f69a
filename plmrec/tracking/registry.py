"""The model registry: versions, their tags, and the aliases that name the ones in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient

from plmrec.tracking.connection import translated


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One version of a registered model.

    Attributes:
        version: Number, from 1.
        source: URL of its artifacts.
        run_id: The run that made it.
        tags: Names and texts.
    """

    version: int
    source: str
    run_id: str
    tags: dict[str, str] = field(default_factory=dict)


class Registry:
    """The versions of one registered model.

    Args:
        client: From ``connect``.
        model: Name of the registered model.
    """

    def __init__(self, client: MlflowClient, model: str) -> None:
        self._client = client
        self.model = model

    def ensure(self, description: str) -> None:
        """Create the registered model, unless it is there."""
        with translated(f"register model {self.model}"):
            try:
                self._client.create_registered_model(self.model, description=description)
            except MlflowException as err:
                if err.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise

    def add(
        self, *, source: str, run_id: str, model_id: str | None, tags: Mapping[str, str]
    ) -> int:
        """Register a version.

        Args:
            source: URL of its artifacts.
            run_id: The run that made it.
            model_id: The logged model that holds the artifacts, if any.
            tags: Its tags.

        Returns:
            The new version's number.
        """
        with translated(f"register a version of {self.model}"):
            created = self._client.create_model_version(
                self.model, source, run_id, tags=dict(tags), model_id=model_id
            )
        return int(created.version)

    def versions(self) -> dict[int, ModelVersion]:
        """List all versions by number; empty when the model is not registered."""
        found: dict[int, ModelVersion] = {}
        token = None
        while True:
            with translated(f"list the versions of {self.model}"):
                page = self._client.search_model_versions(
                    f"name = '{self.model}'", max_results=200, page_token=token
                )
            found |= {int(each.version): _as_version(each) for each in page}
            token = page.token
            if not token:
                return dict(sorted(found.items()))

    def version(self, number: int) -> ModelVersion:
        """Return one version.

        Raises:
            DataContractError: There is no such version.
        """
        with translated(f"read version {number} of {self.model}"):
            return _as_version(self._client.get_model_version(self.model, str(number)))

    def aliases(self) -> dict[str, int]:
        """Return each alias and the version it names; empty when the model is not registered."""
        with translated(f"read the aliases of {self.model}"):
            try:
                found = self._client.get_registered_model(self.model).aliases
            except MlflowException as err:
                if err.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return {}
        return {name: int(version) for name, version in found.items()}

    def set_alias(self, alias: str, version: int) -> None:
        """Point an alias at a version; the switch is one statement in MLflow."""
        with translated(f"move alias {alias} of {self.model}"):
            self._client.set_registered_model_alias(self.model, alias, str(version))

    def delete_alias(self, alias: str) -> None:
        """Remove an alias; nothing happens when it is not there."""
        with translated(f"delete alias {alias} of {self.model}"):
            self._client.delete_registered_model_alias(self.model, alias)

    def tag(self, version: int, tags: Mapping[str, str]) -> None:
        """Set tags on a version."""
        with translated(f"tag version {version} of {self.model}"):
            for key, value in tags.items():
                self._client.set_model_version_tag(self.model, str(version), key, value)

    def describe(self, version: int, text: str) -> None:
        """Set the description of a version."""
        with translated(f"describe version {version} of {self.model}"):
            self._client.update_model_version(self.model, str(version), text)


def _as_version(found: object) -> ModelVersion:
    return ModelVersion(
        version=int(found.version),  # type: ignore[attr-defined]
        source=str(found.source),  # type: ignore[attr-defined]
        run_id=str(found.run_id or ""),  # type: ignore[attr-defined]
        tags=dict(found.tags or {}),  # type: ignore[attr-defined]
    )
