"""params.yaml says all there is to say, and says what the code does."""

from __future__ import annotations

from pathlib import Path

import yaml

from plmrec.params import Params, load_params

FILE = Path(__file__).parents[2] / "params.yaml"


def test_the_file_holds_the_defaults():
    assert load_params(FILE) == Params()


def test_the_file_names_every_key():
    assert yaml.safe_load(FILE.read_text()) == Params().model_dump(mode="json")
