"""Reading raw files record by record."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plmrec.errors import DataContractError
from plmrec.stages import raw_csv, raw_records
from plmrec.stages.raw_files import RawFile, find_raw_files


def read(path, content: bytes | None = None):
    if content is not None:
        path.write_bytes(content)
    return list(RawFile(table="items", path=path).records())


class TestCsv:
    def test_a_quoted_newline_is_part_of_the_field_and_lines_are_still_counted(self, tmp_path):
        data = b'id,text\n1,"two\nlines, and ""quotes"""\n2,plain\n'
        first, second = read(tmp_path / "items.csv", data)
        assert first.values == {"id": "1", "text": 'two\nlines, and "quotes"'}
        assert (first.number, second.number) == (2, 4)

    def test_a_row_with_broken_utf8_is_refused_and_the_others_are_read(self, tmp_path):
        data = "id,text\n1,é\n2,".encode() + b"\xff\xfe\n3,ok\n"
        good, bad, last = read(tmp_path / "items.csv", data)
        assert (good.values["text"], last.values["text"]) == ("é", "ok")
        assert (bad.reason, bad.number, bad.values) == ("broken_utf8", 3, None)
        assert "\\xff" in bad.raw

    def test_a_row_with_too_few_or_too_many_columns_is_refused(self, tmp_path):
        short, long, good = read(tmp_path / "items.csv", b"a,b\n1\n1,2,3\n1,2\n")
        assert [short.reason, long.reason] == ["wrong_column_count"] * 2
        assert long.detail == "row: expected 2 columns, got 3"
        assert json.loads(long.raw) == ["1", "2", "3"]
        assert good.values == {"a": "1", "b": "2"}

    def test_a_quote_that_is_never_closed_costs_one_row_only(self, tmp_path):
        data = b'id,text\n1,"open\n2,good\n3,"closed"\n4,fine\n'
        bad, *good = read(tmp_path / "items.csv", data)
        assert (bad.reason, bad.number) == ("not_csv", 2)
        assert [record.values["text"] for record in good] == ["good", "closed", "fine"]

    def test_the_last_quote_open_until_the_end_of_the_file_gives_its_lines_back(self, tmp_path):
        bad, *good = read(tmp_path / "items.csv", b'id,text\n1,"open\n2,good\n3,fine\n')
        assert (bad.reason, bad.number) == ("not_csv", 2)
        assert [record.values["id"] for record in good] == ["2", "3"]
        assert [record.number for record in good] == [3, 4]

    def test_a_record_without_end_is_cut_in_bounded_memory(self, tmp_path, monkeypatch):
        monkeypatch.setattr(raw_csv, "MAX_RECORD_BYTES", 1000)
        monkeypatch.setattr(raw_records, "MAX_RECORD_BYTES", 1000)
        data = b"id,text\n1," + b"x" * 5000 + b"\n2,good\n"
        bad, good = read(tmp_path / "items.csv", data)
        assert bad.reason == "not_csv"
        assert (good.number, good.values["id"]) == (3, "2")

    def test_a_byte_order_mark_and_windows_line_ends_are_no_content(self, tmp_path):
        [record] = read(tmp_path / "items.csv", b"\xef\xbb\xbfid,text\r\n1,a\r\n")
        assert record.values == {"id": "1", "text": "a"}

    def test_a_header_that_names_a_column_twice_is_refused(self, tmp_path):
        with pytest.raises(DataContractError, match=r"items\.csv: expected each column once"):
            read(tmp_path / "items.csv", b"id,id\n1,2\n")

    def test_a_header_that_is_not_utf8_is_refused(self, tmp_path):
        with pytest.raises(DataContractError, match="expected UTF-8"):
            read(tmp_path / "items.csv", "id,text\n".encode("utf-16"))

    def test_an_empty_file_has_no_records(self, tmp_path):
        assert read(tmp_path / "items.csv", b"") == []


class TestJsonLines:
    def test_broken_lines_are_refused_one_by_one(self, tmp_path):
        lines = [b'{"a": 1}', b"{", b'{"a": "\xff"}', b"[1]", b'{"a": "\\ud800"}', b"", b'{"a": 2}']
        records = read(tmp_path / "items.jsonl", b"\n".join(lines))
        reasons = [record.reason for record in records]
        assert reasons == ["", "not_json", "broken_utf8", "not_json", "broken_utf8", ""]
        assert [record.number for record in records] == [1, 2, 3, 4, 5, 7]

    def test_deep_nesting_is_refused_and_not_a_crash(self, tmp_path):
        [record] = read(tmp_path / "items.jsonl", b"[" * 200_000)
        assert record.reason == "not_json"

    def test_a_long_raw_record_is_cut_and_says_so(self, tmp_path):
        [record] = read(tmp_path / "items.jsonl", json.dumps({"a": "x" * 20_000}).encode())
        assert record.raw.endswith("(20,009 characters in all)")
        assert len(record.values["a"]) == 20_000

    def test_gzip_is_unpacked_on_the_way(self, tmp_path):
        [record] = read(tmp_path / "items.jsonl.gz", gzip.compress(b'{"a": 1}\n'))
        assert record.values == {"a": 1}

    def test_half_a_gzip_file_is_a_broken_contract(self, tmp_path):
        data = gzip.compress(b'{"a": 1}\n' * 1000)
        with pytest.raises(DataContractError, match=r"items\.jsonl\.gz: cannot be read"):
            read(tmp_path / "items.jsonl.gz", data[: len(data) // 2])


class TestParquet:
    def test_lists_numbers_and_times_keep_their_types(self, tmp_path):
        pq.write_table(pa.table({"a": [["x", "y"]], "b": [1.5]}), tmp_path / "items.parquet")
        [record] = read(tmp_path / "items.parquet")
        assert record.values == {"a": ["x", "y"], "b": 1.5}

    def test_a_row_with_broken_utf8_is_refused_and_the_others_are_read(self, tmp_path):
        broken = pa.StringArray.from_buffers(
            2, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff")
        )
        pq.write_table(pa.table({"a": broken}), tmp_path / "items.parquet")
        good, bad = read(tmp_path / "items.parquet")
        assert good.values == {"a": "a"}
        assert (bad.reason, bad.number) == ("broken_utf8", 2)

    def test_a_text_file_with_the_name_of_parquet_is_a_broken_contract(self, tmp_path):
        with pytest.raises(DataContractError, match=r"items\.parquet: cannot be read as parquet"):
            read(tmp_path / "items.parquet", b"hello")


class TestFindRawFiles:
    def test_users_are_optional(self, tmp_path):
        (tmp_path / "items.jsonl").touch()
        (tmp_path / "interactions.parquet").touch()
        assert set(find_raw_files(tmp_path)) == {"items", "interactions"}

    def test_a_missing_file_is_named_with_its_columns(self, tmp_path):
        (tmp_path / "items.jsonl").touch()
        with pytest.raises(DataContractError, match=r"interactions\.csv.*user_id, item_id, event"):
            find_raw_files(tmp_path)

    def test_a_table_in_two_formats_is_ambiguous(self, tmp_path):
        for name in ("items.jsonl", "items.csv", "interactions.csv"):
            (tmp_path / name).touch()
        with pytest.raises(DataContractError, match=r"items\.jsonl and items\.csv"):
            find_raw_files(tmp_path)

    def test_a_missing_folder_is_named(self, tmp_path):
        with pytest.raises(DataContractError, match="expected a folder"):
            find_raw_files(tmp_path / "nowhere")
