"""What the sections of params.yaml share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """A block of params.yaml; unknown keys are refused, so a typo cannot be ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BackendParams(Section):
    """Which backend does something; it checks its own options."""

    backend: str
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="of the backend, which checks them"
    )
