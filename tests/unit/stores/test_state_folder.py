from __future__ import annotations

import numpy as np
import pytest

from plmrec.errors import DataContractError
from plmrec.stores.state_folder import digest_state, read_state, write_state

ARRAYS = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "on": np.array([True, False])}
MODEL = {"name": "é", "values": [1, 2.5, None]}


def test_a_state_comes_back_as_it_was_written(tmp_path):
    write_state(tmp_path / "state", ARRAYS, MODEL)
    arrays, model = read_state(tmp_path / "state")
    assert model == MODEL
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_the_digest_depends_on_content_only(tmp_path):
    first = write_state(tmp_path / "a", ARRAYS, MODEL)
    backwards = dict(reversed(ARRAYS.items())), dict(reversed(MODEL.items()))
    assert write_state(tmp_path / "b", *backwards) == first
    assert write_state(tmp_path / "c", ARRAYS, {**MODEL, "name": "e"}) != first
    assert write_state(tmp_path / "d", {**ARRAYS, "w": ARRAYS["w"] + 1}, MODEL) != first


def test_writing_replaces_the_folder_and_leaves_nothing_beside_it(tmp_path):
    write_state(tmp_path / "state", ARRAYS, MODEL)
    (tmp_path / "state" / "stray.txt").write_text("old")
    write_state(tmp_path / "state", ARRAYS, MODEL)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == [
        "model.json",
        "state.safetensors",
    ]


def test_arrays_that_are_not_contiguous_are_written_in_their_own_order(tmp_path):
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T
    write_state(tmp_path / "state", {"w": turned}, {})
    np.testing.assert_array_equal(read_state(tmp_path / "state")[0]["w"], turned)


@pytest.mark.parametrize("name", ["state.safetensors", "model.json"])
def test_a_damaged_or_missing_file_is_a_data_error(tmp_path, name):
    write_state(tmp_path / "state", ARRAYS, MODEL)
    (tmp_path / "state" / name).write_bytes(b"\x80\x04K\x01.")  # a pickle, of all things
    with pytest.raises(DataContractError, match="cannot read"):
        read_state(tmp_path / "state")
    (tmp_path / "state" / name).unlink()
    with pytest.raises(DataContractError, match="cannot read"):
        read_state(tmp_path / "state")
    assert digest_state(tmp_path / "state") == ""
