from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from plmrec.errors import MissingStageError
from plmrec.stages.index_rows import (
    digest_sources,
    open_sources,
    read_items,
    read_passages,
    unit_vectors,
    vector_width,
)
from tests.support.embedded import FINGERPRINT, Embedded


@pytest.fixture
def embedded(tmp_path):
    embedded = Embedded(str(tmp_path / "ws"), n_items=12, dim=8)
    embedded.write()
    return embedded


def sources_of(embedded):
    return open_sources(
        embedded.workspace, n_shards=2, fingerprint=FINGERPRINT, dataset_digest="da7a.dir"
    )


class TestUnitVectors:
    def test_keeps_unit_vectors_and_marks_every_other_row(self):
        column = pa.array(
            [[1.0, 0.0], None, [1.0], [0.6, 0.8], [0.0, 0.0], [float("nan"), 1.0], [3.0, 4.0], []],
            pa.list_(pa.float32()),
        )
        matrix, usable = unit_vectors(column, dim=2)
        assert matrix.shape == (8, 2)
        assert matrix.dtype == np.float32
        assert usable.tolist() == [True, False, False, True, False, False, False, False]
        np.testing.assert_allclose(matrix[3], [0.6, 0.8], atol=1e-6)

    def test_marks_a_missing_number_within_a_vector(self):
        column = pa.array([[1.0, None]], pa.list_(pa.float32()))
        assert unit_vectors(column, dim=2)[1].tolist() == [False]

    def test_reads_a_slice_as_the_rows_it_shows(self):
        column = pa.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], pa.list_(pa.float32())).slice(1)
        matrix, usable = unit_vectors(column, dim=2)
        assert usable.all()
        np.testing.assert_allclose(matrix, [[0.0, 1.0], [0.6, 0.8]], atol=1e-6)


class TestDigestSources:
    def test_is_the_same_for_the_same_rows(self, embedded):
        digest, n_items = digest_sources(sources_of(embedded))
        embedded.write()
        assert digest_sources(sources_of(embedded)) == (digest, n_items)
        assert n_items == 12

    @pytest.mark.parametrize("rows", ["items", "vectors", "passages"])
    def test_changes_with_any_row(self, embedded, rows):
        before, _ = digest_sources(sources_of(embedded))
        getattr(embedded, rows)[0]["extra" if rows == "items" else "input_digest"] = "other"
        embedded.write()
        assert digest_sources(sources_of(embedded))[0] != before


class TestReadItems:
    def test_joins_an_item_with_what_it_came_from(self, embedded):
        sources = sources_of(embedded)
        rows = [
            row
            for shard in sources.vectors.shards
            for row in read_items(sources, shard, dim=8).items
        ]
        row = next(row for row in rows if row["item_id"] == "i2")
        assert (row["title"], row["media_digest"], row["n_passages"]) == ("Title 2", "media-2", 3)
        assert (row["transcript_status"], row["transcript_backend"]) == ("speech", "scripted 1")
        assert row["embedding"].shape == (8,)

    def test_passages_are_those_of_the_items_asked_for(self, embedded):
        sources = sources_of(embedded)
        passages = [
            (row["item_id"], row["passage_no"])
            for shard in sources.vectors.shards
            for row in read_passages(sources, shard, dim=8, item_ids={"i1", "i2"})
        ]
        assert sorted(passages) == [("i1", 0), ("i1", 1), ("i2", 0), ("i2", 1), ("i2", 2)]

    def test_the_width_is_that_of_most_vectors(self, embedded):
        embedded.vectors[0]["vector"] = [1.0] * 99
        embedded.write()
        assert vector_width(sources_of(embedded)) == 8


def test_a_shard_that_was_not_embedded_is_asked_for(embedded):
    embedded.workspace.remove("embeddings", FINGERPRINT, "items", "part-001.parquet")
    with pytest.raises(MissingStageError, match="plmrec embed"):
        sources_of(embedded)


class TestPersonalData:
    def write_title(self, embedded, title):
        sources = sources_of(embedded)
        shard = next(shard for shard in sources.items.shards if sources.items.read(shard).num_rows)
        rows = sources.items.read(shard).to_pylist()
        sources.items.write(shard, [{**row, "title": title} for row in rows])
        return shard

    def test_never_leaves_the_workspace_in_a_title(self, embedded):
        shard = self.write_title(embedded, "Ask ann@example.org")
        rows = read_items(sources_of(embedded), shard, dim=8).items
        assert {row["title"] for row in rows} == {"Ask [email]"}

    def test_stays_where_masking_is_switched_off(self, embedded):
        shard = self.write_title(embedded, "Ask ann@example.org")
        sources = open_sources(
            embedded.workspace,
            n_shards=2,
            fingerprint=FINGERPRINT,
            dataset_digest="da7a.dir",
            mask=False,
        )
        assert {row["title"] for row in read_items(sources, shard, dim=8).items} == {
            "Ask ann@example.org"
        }
