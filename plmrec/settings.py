"""Where plmrec runs and with which secrets: the ``PLMREC_*`` environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from plmrec.errors import ParamsError


class Settings(BaseSettings):
    """The environment of a run; nothing here changes a result.

    Each field is read from ``PLMREC_<FIELD>``; command-line options override it.
    """

    model_config = SettingsConfigDict(env_prefix="PLMREC_", frozen=True, extra="ignore")

    workspace: str = Field(default=".plmrec", description="folder or fsspec URL of the workspace")
    params: Path = Field(default=Path("params.yaml"), description="file with the parameters")
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL >= 15 with pgvector; embedded server when unset"
    )
    mlflow_tracking_uri: str | None = Field(
        default=None, description="MLflow server; the embedded store when unset"
    )
    dvc_remote: str | None = Field(
        default=None, description="DVC remote URL; a folder in the workspace when unset"
    )
    host: str = Field(default="127.0.0.1", description="address the embedded services listen on")
    pseudonym_key: SecretStr | None = Field(
        default=None, description="key that turns user ids into pseudonyms in logs and MLflow"
    )


def load_settings(**overrides: object) -> Settings:
    """Read the environment; overrides that are None are ignored.

    Raises:
        ParamsError: A variable has a value that its field refuses.
    """
    try:
        return Settings(**{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as err:
        first = err.errors()[0]
        name = "PLMREC_" + str(first["loc"][0]).upper()
        raise ParamsError(f"environment: {name}: {first['msg']}") from err
