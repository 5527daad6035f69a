from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plmrec.errors import ParamsError
from plmrec.stores.list_file import SCHEMA, write_lists


def block(user, *items):
    rows = [
        {
            "user_id": user,
            "rank": rank,
            "item_id": item,
            "score": 0.5,
            "source": "ease",
            "release": "1",
        }
        for rank, item in enumerate(items, start=1)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def test_blocks_are_written_in_order_and_counted(tmp_path):
    file = tmp_path / "deep" / "lists.parquet"
    assert write_lists(file, [block("a", "x", "y"), block("b", "z")]) == 3
    table = pq.read_table(file)
    assert table.schema.equals(SCHEMA)
    assert table.column("item_id").to_pylist() == ["x", "y", "z"]


def test_csv_has_a_header_and_quotes_what_needs_it(tmp_path):
    file = tmp_path / "lists.CSV"
    write_lists(file, [block('a,"b"', "x")])
    lines = file.read_text().splitlines()
    assert lines[0] == '"user_id","rank","item_id","score","source","release"'
    assert lines[1] == '"a,""b""",1,"x",0.5,"ease","1"'


def test_no_users_give_a_file_without_rows(tmp_path):
    assert write_lists(tmp_path / "lists.csv", []) == 0
    assert len((tmp_path / "lists.csv").read_text().splitlines()) == 1


def test_a_failure_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "lists.parquet"
    write_lists(file, [block("a", "x")])

    def dies():
        yield block("b", "y")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_lists(file, dies())
    assert pq.read_table(file).column("user_id").to_pylist() == ["a"]
    assert list(tmp_path.iterdir()) == [file]


def test_an_unknown_suffix_and_a_place_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(ParamsError, match=r"\.csv or \.parquet"):
        write_lists(tmp_path / "lists.txt", [])
    (tmp_path / "file").write_text("")
    with pytest.raises(ParamsError, match="cannot write"):
        write_lists(tmp_path / "file" / "lists.csv", [])
