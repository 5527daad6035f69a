from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plmrec.app import embed as app
from plmrec.app.context import open_context
from plmrec.digests import digest_json, shard_of
from plmrec.errors import MissingStageError
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stores import tables
from plmrec.stores.workspace import ShardedTable, Workspace

N_SHARDS = 3
Item = dict[str, Any]


def make_params(dim: int = 32, **documents: object) -> Params:
    return Params.model_validate(
        {
            "shards": N_SHARDS,
            "encoder": {"backend": "hashing", "options": {"dim": dim}},
            "documents": documents,
        }
    )


def make_item(number: int, words: Sequence[str] = ()) -> Item:
    return {
        "item_id": f"i{number}",
        "title": f"Title {number}",
        "description": f"A story about the number {number}.",
        "genres": ["Drama"],
        "segments": [
            {"start_s": 5.0 * n, "end_s": 5.0 * n + 4, "text": text, "confidence": 0.9}
            for n, text in enumerate(words)
        ],
    }


def write_dataset(settings: Settings, items: Sequence[Item]) -> None:
    """Write items and transcripts as validate and transcribe leave them."""
    workspace = Workspace(settings.workspace)
    for table, row_of in (
        (tables.items_table(workspace, N_SHARDS), _item_row),
        (tables.transcripts_table(workspace, N_SHARDS), _transcript_row),
    ):
        for number, shard in enumerate(table.shards):
            mine = [item for item in items if shard_of(item["item_id"], N_SHARDS) == number]
            table.write(shard, [row_of(item, table) for item in mine])


def _item_row(item: Item, table: ShardedTable) -> Mapping[str, Any]:
    written = {key: value for key, value in item.items() if key != "segments"}
    return dict.fromkeys(table.schema.names) | written | {"digest": digest_json(written)}


def _transcript_row(item: Item, table: ShardedTable) -> Mapping[str, Any]:
    known = {"item_id": item["item_id"], "segments": item["segments"], "status": "speech"}
    return dict.fromkeys(table.schema.names) | known | {"digest": digest_json(item["segments"])}


def digests(settings: Settings, params: Params) -> dict[str, str]:
    workspace = Workspace(settings.workspace)
    fingerprint = app.encoder_fingerprint(open_context(settings, params))
    return {
        table.name: table.digest()
        for table in (
            tables.documents_table(workspace, N_SHARDS),
            tables.passages_table(workspace, N_SHARDS, fingerprint),
            tables.item_vectors_table(workspace, N_SHARDS, fingerprint),
        )
    }


ITEMS = [make_item(number, ["hello there", f"this is {number}"]) for number in range(12)]


def test_every_item_gets_a_document_passages_and_a_unit_vector(tmp_settings: Settings) -> None:
    write_dataset(tmp_settings, ITEMS)
    params = make_params()
    report = app.embed(settings=tmp_settings, params=params)
    assert (report["in"], report["out"], report["computed"]) == (12, 12, 12)
    workspace = Workspace(tmp_settings.workspace)
    fingerprint = str(report["fingerprint"])
    vectors = tables.item_vectors_table(workspace, N_SHARDS, fingerprint).read_all().to_pylist()
    passages = tables.passages_table(workspace, N_SHARDS, fingerprint).read_all().to_pylist()
    assert sorted(row["item_id"] for row in vectors) == sorted(i["item_id"] for i in ITEMS)
    assert {row["fingerprint"] for row in vectors} == {fingerprint}
    for row in [*vectors, *passages]:
        assert np.linalg.norm(row["vector"]) == pytest.approx(1.0, abs=1e-5)
    assert sum(row["n_passages"] for row in vectors) == len(passages) == report["n_passages"]
    spoken = [row for row in passages if row["item_id"] == "i7" and row["start_s"] is not None]
    assert [(row["text"], row["start_s"], row["end_s"]) for row in spoken] == [
        ("hello there this is 7", 0.0, 9.0)
    ]
    assert workspace.read_json(*app.CURRENT) == {
        "fingerprint": fingerprint,
        "name": "hashing-32",
        "dim": 32,
        "digest": report["digest"],
    }


def test_a_second_run_computes_nothing_and_changes_no_digest(tmp_settings: Settings) -> None:
    write_dataset(tmp_settings, ITEMS)
    params = make_params()
    first = app.embed(settings=tmp_settings, params=params)
    before = digests(tmp_settings, params)
    second = app.embed(settings=tmp_settings, params=params)
    assert (second["computed"], second["reused"]) == (0, 12)
    assert second["digest"] == first["digest"]
    assert digests(tmp_settings, params) == before
    assert app.pending_shards(settings=tmp_settings, params=params) == []


def test_one_new_item_computes_one(tmp_settings: Settings) -> None:
    params = make_params()
    write_dataset(tmp_settings, ITEMS[:-1])
    app.embed(settings=tmp_settings, params=params)
    write_dataset(tmp_settings, ITEMS)
    expected = f"part-{shard_of('i11', N_SHARDS):03d}"
    assert app.pending_shards(settings=tmp_settings, params=params) == [expected]
    report = app.embed(settings=tmp_settings, params=params)
    assert (report["in"], report["computed"], report["reused"]) == (12, 1, 11)


def test_a_changed_transcript_recomputes_its_item_alone(tmp_settings: Settings) -> None:
    params = make_params()
    write_dataset(tmp_settings, ITEMS)
    app.embed(settings=tmp_settings, params=params)
    old = vectors_by_item(tmp_settings, params)
    changed = [*ITEMS[:4], make_item(4, ["something else entirely"]), *ITEMS[5:]]
    write_dataset(tmp_settings, changed)
    assert app.embed(settings=tmp_settings, params=params)["computed"] == 1
    new = vectors_by_item(tmp_settings, params)
    assert [key for key in sorted(old) if old[key] != new[key]] == ["i4"]


def test_a_column_that_is_no_text_recomputes_nothing(tmp_settings: Settings) -> None:
    params = make_params()
    write_dataset(tmp_settings, ITEMS)
    app.embed(settings=tmp_settings, params=params)
    write_dataset(tmp_settings, [item | {"extra": '{"price": 3}'} for item in ITEMS])
    assert app.embed(settings=tmp_settings, params=params)["computed"] == 0


def test_an_item_that_is_gone_leaves_nothing_behind(tmp_settings: Settings) -> None:
    params = make_params()
    write_dataset(tmp_settings, ITEMS)
    app.embed(settings=tmp_settings, params=params)
    write_dataset(tmp_settings, ITEMS[1:])
    assert app.embed(settings=tmp_settings, params=params)["computed"] == 0
    after = digests(tmp_settings, params)
    fresh = tmp_settings.model_copy(update={"workspace": tmp_settings.workspace + "-fresh"})
    write_dataset(fresh, ITEMS[1:])
    app.embed(settings=fresh, params=params)
    assert digests(fresh, params) == after


def test_how_text_is_cut_decides_what_is_computed(tmp_settings: Settings) -> None:
    write_dataset(tmp_settings, ITEMS)
    app.embed(settings=tmp_settings, params=make_params())
    report = app.embed(settings=tmp_settings, params=make_params(header_share=0.9))
    assert report["computed"] == 12


def test_vectors_of_two_encoders_never_mix(tmp_settings: Settings) -> None:
    write_dataset(tmp_settings, ITEMS)
    small, large = make_params(dim=32), make_params(dim=64)
    app.embed(settings=tmp_settings, params=small)
    before = digests(tmp_settings, small)
    report = app.embed(settings=tmp_settings, params=large)
    assert report["computed"] == 12
    assert digests(tmp_settings, small) == before
    assert {len(vector) for vector in vectors_by_item(tmp_settings, small).values()} == {32}
    assert {len(vector) for vector in vectors_by_item(tmp_settings, large).values()} == {64}
    assert Workspace(tmp_settings.workspace).read_json(*app.CURRENT)["dim"] == 64


def test_shards_embedded_one_by_one_add_up_to_the_whole(tmp_settings: Settings) -> None:
    params = make_params()
    write_dataset(tmp_settings, ITEMS)
    first, *others = app.pending_shards(settings=tmp_settings, params=params)
    reports = [app.embed_shard(first, settings=tmp_settings, params=params)]
    with pytest.raises(MissingStageError, match=others[0]):
        app.finish_embed(reports, settings=tmp_settings, params=params)
    reports += [app.embed_shard(shard, settings=tmp_settings, params=params) for shard in others]
    merged = app.finish_embed(reports, settings=tmp_settings, params=params)
    assert (merged["in"], merged["out"], merged["computed"]) == (12, 12, 12)
    nothing = app.finish_embed([], settings=tmp_settings, params=params)
    assert (nothing["in"], nothing["computed"], nothing["reused"]) == (12, 0, 12)
    assert nothing["n_passages"] == merged["n_passages"]
    assert nothing["digest"] == merged["digest"]


class _Killed(BaseException):
    """Stands for SIGKILL: nothing in plmrec catches it."""


@pytest.mark.parametrize("n_writes", range(10))
def test_a_run_that_dies_at_any_write_and_is_repeated_is_as_if_undisturbed(
    tmp_settings: Settings, monkeypatch: pytest.MonkeyPatch, n_writes: int
) -> None:
    def embed_and_die(params: Params) -> None:
        """Embed, and die instead of write number n."""
        left = iter(range(n_writes))
        write = Workspace.write_bytes

        def write_or_die(self: Workspace, data: bytes, *parts: str) -> None:
            if next(left, None) is None:
                raise _Killed
            write(self, data, *parts)

        with monkeypatch.context() as patch, contextlib.suppress(_Killed):
            patch.setattr(Workspace, "write_bytes", write_or_die)
            app.embed(settings=tmp_settings, params=params)

    before, params = make_params(header_share=0.3), make_params(header_share=0.8)
    undisturbed = tmp_settings.model_copy(update={"workspace": tmp_settings.workspace + "-whole"})
    write_dataset(undisturbed, ITEMS[2:])
    app.embed(settings=undisturbed, params=params)

    write_dataset(tmp_settings, ITEMS[:-2])
    app.embed(settings=tmp_settings, params=before)
    write_dataset(tmp_settings, ITEMS[2:])
    embed_and_die(params)
    app.embed(settings=tmp_settings, params=params)
    assert digests(tmp_settings, params) == digests(undisturbed, params)

    embed_and_die(before)  # turned back in the middle
    app.embed(settings=tmp_settings, params=params)
    assert digests(tmp_settings, params) == digests(undisturbed, params)
    assert vectors_by_item(tmp_settings, params) == vectors_by_item(undisturbed, params)


def test_a_run_killed_between_passages_and_item_vectors_is_finished_by_the_next(
    tmp_settings: Settings,
) -> None:
    params = make_params()
    write_dataset(tmp_settings, ITEMS)
    code = f"""
import os, signal
from plmrec.app import embed
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stores.workspace import Workspace

write = Workspace.write_bytes

def write_or_die(self, data, *parts):
    if parts[0].endswith("/items"):
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, data, *parts)

Workspace.write_bytes = write_or_die
params = Params.model_validate_json({params.model_dump_json()!r})
embed.embed(settings=Settings(workspace={tmp_settings.workspace!r}), params=params)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    report = app.embed(settings=tmp_settings, params=params)
    assert report["computed"] == 12
    after = digests(tmp_settings, params)
    fresh = tmp_settings.model_copy(update={"workspace": tmp_settings.workspace + "-fresh"})
    write_dataset(fresh, ITEMS)
    app.embed(settings=fresh, params=params)
    assert digests(fresh, params) == after


def test_without_transcripts_it_says_what_to_run(tmp_settings: Settings) -> None:
    write_dataset(tmp_settings, ITEMS)
    Workspace(tmp_settings.workspace).remove("transcripts")
    with pytest.raises(MissingStageError, match="plmrec transcribe"):
        app.embed(settings=tmp_settings, params=make_params())


def test_an_item_that_was_not_transcribed_yet_is_an_error(tmp_settings: Settings) -> None:
    write_dataset(tmp_settings, ITEMS[:3])
    workspace = Workspace(tmp_settings.workspace)
    transcripts = tables.transcripts_table(workspace, N_SHARDS)
    transcripts.write(f"part-{shard_of('i1', N_SHARDS):03d}", [])
    with pytest.raises(MissingStageError, match="i1"):
        app.pending_shards(settings=tmp_settings, params=make_params())


def test_without_items_it_says_what_to_run(tmp_settings: Settings) -> None:
    with pytest.raises(MissingStageError, match="plmrec validate"):
        app.pending_shards(settings=tmp_settings, params=make_params())


def test_an_empty_dataset_has_an_empty_result(tmp_settings: Settings) -> None:
    write_dataset(tmp_settings, [])
    report = app.embed(settings=tmp_settings, params=make_params())
    assert (report["in"], report["n_passages"]) == (0, 0)


def test_progress_goes_from_nothing_to_all_of_the_stale_items(tmp_settings: Settings) -> None:
    write_dataset(tmp_settings, ITEMS[:9])
    app.embed(settings=tmp_settings, params=make_params())
    write_dataset(tmp_settings, ITEMS)
    told: list[tuple[int, int]] = []
    app.embed(
        settings=tmp_settings,
        params=make_params(),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[0] == (0, 3)
    assert told[-1] == (3, 3)


def vectors_by_item(settings: Settings, params: Params) -> dict[str, list[float]]:
    fingerprint = app.encoder_fingerprint(open_context(settings, params))
    table = tables.item_vectors_table(Workspace(settings.workspace), N_SHARDS, fingerprint)
    return {row["item_id"]: row["vector"] for row in table.rows()}


def test_a_table_of_passages_with_fewer_columns_is_written_anew(tmp_settings: Settings) -> None:
    """As a workspace has it that was embedded before passages told their part."""
    write_dataset(tmp_settings, ITEMS)
    params = make_params()
    fingerprint = str(app.embed(settings=tmp_settings, params=params)["fingerprint"])
    workspace = Workspace(tmp_settings.workspace)
    table = tables.passages_table(workspace, N_SHARDS, fingerprint)
    for shard in table.shards:
        old = table.read(shard).drop_columns(["part", "confidence"])
        narrow = workspace.table(
            table.name, key="item_id", schema=old.schema, n_shards=table.n_shards
        )
        narrow.write(shard, old)
    report = app.embed(settings=tmp_settings, params=make_params(pooling="mean"))
    assert report["computed"] == 12
    parts = table.read_all(["part"]).column("part").to_pylist()
    assert set(parts) == {"header", "description", "speech"}
