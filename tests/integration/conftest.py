"""Workspaces that several files of tests copy from."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from plmrec.params import Params
from plmrec.settings import Settings
from tests.support.tiny import WEIGHTLESS_PARAMS, write_tiny_dataset


@pytest.fixture(scope="session")
def untuned() -> Params:
    """Parameters without weights and without a search; what is tuned is another subject."""
    values = yaml.safe_load(WEIGHTLESS_PARAMS)
    values["training"]["tune"] = False
    return Params.model_validate(values)


@pytest.fixture(scope="session")
def embedded_tiny(tmp_path_factory: pytest.TempPathFactory, untuned: Params) -> Path:
    """A workspace with an embedded tiny dataset, to copy from."""
    from plmrec.app.embed import embed
    from plmrec.app.transcribe import transcribe
    from plmrec.app.validate import validate

    folder = tmp_path_factory.mktemp("embedded")
    where = {"settings": Settings(workspace=str(folder / "workspace")), "params": untuned}
    validate(str(write_tiny_dataset(folder / "dataset")), **where)
    transcribe(**where)
    embed(**where)
    return folder / "workspace"
