"""What params.yaml may say of the search, and how it is told what it may not."""

from __future__ import annotations

import json

import pytest

from plmrec.errors import ParamsError
from plmrec.params import Params, Range, load_params


@pytest.mark.parametrize(
    ("tries", "told"),
    [
        ({"low": 5, "high": 1}, "expected low < high, got 5 and 1"),
        ({"low": 0, "high": 1, "log": True}, "expected low > 0"),
        ({"low": 1.5, "high": 3, "int": True}, "expected whole low and high"),
        ({"low": 1, "hihg": 3}, "hihg"),
        ([], "at least 1 item"),
        (3, "l2"),
    ],
)
def test_a_wrong_axis_of_the_search_is_named(tries, told, tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text(json.dumps({"training": {"space": {"ease": {"l2": tries}}}}))
    with pytest.raises(ParamsError, match=r"training\.space\.ease\.l2") as caught:
        load_params(file)
    assert told in str(caught.value)


def test_an_axis_is_a_list_of_values_or_a_range():
    space = {"ease": {"l2": {"low": 1, "high": 9}, "reads": ["liked", None]}}
    params = Params.model_validate({"training": {"space": space}})
    assert params.training.space["ease"] == {
        "l2": Range(low=1.0, high=9.0),
        "reads": ("liked", None),
    }
