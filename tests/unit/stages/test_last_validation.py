"""What a validation remembers of the one before."""

from __future__ import annotations

import pytest

from plmrec.errors import MissingStageError
from plmrec.stages.last_validation import LastValidation, last_source
from plmrec.stores.workspace import Workspace


def test_a_run_that_names_no_dataset_takes_the_one_before(tmp_path):
    workspace = Workspace(str(tmp_path))
    LastValidation(source="/data/films").save(workspace)
    assert last_source(workspace) == "/data/films"


def test_the_first_run_must_name_its_dataset(tmp_path):
    with pytest.raises(MissingStageError, match="none was validated before"):
        last_source(Workspace(str(tmp_path)))
