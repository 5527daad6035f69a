"""The index on a real PostgreSQL: built, measured, switched, rolled back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psycopg
import pytest

from plmrec.app.explore import similar_to
from plmrec.errors import GateError, MissingStageError, TransientError
from plmrec.params import IndexParams
from plmrec.stores.building import building
from plmrec.stores.generations import list_generations, live_pointer, roll_back
from plmrec.stores.quarantine import Quarantine
from plmrec.stores.releases import ReleaseStore
from tests.support.embedded import FINGERPRINT, Embedded, clustered, crown, refresh, refresh_changed
from tests.support.live_questions import fetch_items

pytestmark = pytest.mark.integration


@pytest.fixture
def embedded(tmp_path):
    embedded = Embedded(str(tmp_path / "ws"))
    embedded.write()
    return embedded


def tables_of(dsn):
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'plmrec' AND tablename ~ '^g[0-9]'"
        ).fetchall()
    return {name for (name,) in rows}


class TestRefresh:
    def test_loads_every_embedded_item_and_lets_it_answer(self, pool, embedded):
        crown(pool, 1)
        report = refresh(pool, embedded)
        assert (report["in"], report["out"], report["quarantined"]) == (60, 60, 0)
        assert (report["computed"], report["switched"], report["previous"]) == (60, True, None)
        assert report["recall_at_10"] >= 0.95
        assert report["n_passages"] == 120
        live = live_pointer(pool).generation
        assert (live.status, live.n_items, live.release_version) == ("ready", 60, 1)
        item = fetch_items(pool, ["i3", "none"])["i3"]
        assert (item.title, item.genres, item.creators) == ("Title 3", ["glass"], ["creator 3"])

    def test_computes_nothing_when_nothing_changed(self, pool, embedded):
        crown(pool, 1)
        first = refresh(pool, embedded)
        second = refresh(pool, embedded)
        assert (second["computed"], second["reused"], second["switched"]) == (0, 60, False)
        assert second["digest"] == first["digest"]
        assert second["generation"] == first["generation"]
        assert len(list_generations(pool)) == 1

    @pytest.mark.parametrize(
        "change", [{"m": 8}, {"ef_search": 40}, {"ef_construction": 100}], ids=str
    )
    def test_builds_again_when_the_shape_of_the_index_changed(self, pool, embedded, change):
        crown(pool, 1)
        refresh(pool, embedded)
        assert refresh(pool, embedded, index=IndexParams(**change))["switched"]

    def test_keeps_the_previous_generation_and_drops_older_ones(self, pool, embedded, database_dsn):
        crown(pool, 1)
        reports = [refresh(pool, embedded)] + [refresh_changed(pool, embedded) for _ in range(3)]
        assert [report["dropped"] for report in reports] == [[], [], [1], [2]]
        assert reports[-1]["previous"] == 3
        assert tables_of(database_dsn) == {"g3_items", "g3_passages", "g4_items", "g4_passages"}
        status = {each.generation_id: each.status for each in list_generations(pool)}
        assert status == {1: "dropped", 2: "dropped", 3: "ready", 4: "ready"}

    def test_refuses_to_build_without_a_vector(self, pool, tmp_path):
        crown(pool, 1)
        empty = Embedded(str(tmp_path / "empty"), n_items=0)
        empty.write()
        with pytest.raises(GateError, match="expected items with vectors"):
            refresh(pool, empty)

    def test_asks_for_the_vectors_of_the_champions_encoder(self, pool, embedded):
        crown(pool, 1, fingerprint="other")
        with pytest.raises(MissingStageError, match="plmrec embed"):
            refresh(pool, embedded)

    def test_puts_items_that_cannot_be_indexed_into_quarantine(self, pool, embedded):
        crown(pool, 1)
        embedded.vectors[1]["vector"] = [float("nan")] * 32
        embedded.vectors[2]["vector"] = [1.0]
        embedded.vectors[3]["vector"] = None
        embedded.vectors[4]["vector"] = [0.0] * 32
        next(p for p in embedded.passages if p["item_id"] == "i5")["vector"] = [2.0] * 32
        embedded.passages = [p for p in embedded.passages if p["item_id"] != "i6"]
        embedded.items = [item for item in embedded.items if item["item_id"] != "i7"]
        embedded.write()
        report = refresh(pool, embedded)
        assert (report["in"], report["out"], report["quarantined"]) == (60, 53, 7)
        reasons = {each.key: each.reason for each in Quarantine(embedded.workspace).list()}
        assert reasons == {
            **dict.fromkeys(("i1", "i2", "i3", "i4", "i5"), "bad_vector"),
            "i6": "bad_passages",
            "i7": "unknown_item",
        }
        again = refresh(pool, embedded)
        assert (again["quarantined"], again["computed"]) == (7, 0)

    def test_stores_ids_and_texts_of_any_kind(self, pool, embedded):
        crown(pool, 1)
        names = ["'; DROP TABLE live; --", "ünï\u202e🎬", "%s {} \\"]
        for number, name in enumerate(names):
            for row in (*embedded.items, *embedded.vectors, *embedded.passages):
                if row["item_id"] == f"i{number}":
                    row["item_id"] = name
        embedded.items[0]["title"] = "nul \0 inside"
        embedded.write()
        refresh(pool, embedded)
        found = fetch_items(pool, [*names, "nul\0", "\udcff"])
        assert set(found) == set(names)
        assert found[names[0]].title == "nul  inside"
        for name in names:
            assert len(similar_to(pool, name, k=5)) == 5

    def test_two_refreshes_never_overlap(self, pool, embedded):
        crown(pool, 1)
        with (
            building(pool),
            pytest.raises(TransientError, match="another refresh"),
            building(pool, wait_s=0.2),
        ):
            pass
        assert refresh(pool, embedded)["switched"]

    def test_does_not_switch_when_another_champion_was_crowned_meanwhile(self, pool, embedded):
        old = crown(pool, 1)
        refresh(pool, embedded)
        crown(pool, 2)
        embedded.reword(1)
        embedded.write()
        with pytest.raises(TransientError, match="champion still"):
            refresh(pool, embedded, release=old)
        assert live_pointer(pool).generation.generation_id == 1
        assert refresh(pool, embedded)["release"] == 2


class TestRecallGate:
    def test_refuses_an_index_that_misses_neighbours_and_leaves_the_live_one(
        self, pool, tmp_path, database_dsn
    ):
        crown(pool, 1)
        embedded = Embedded(str(tmp_path / "many"), n_items=3000, dim=64)
        embedded.write()
        good = refresh(pool, embedded)
        assert good["recall_at_10"] >= 0.95
        poor = IndexParams(m=2, ef_construction=4, ef_search=1, min_recall=1.0)
        with pytest.raises(GateError, match=r"recall@10 of at least 1\.0, got 0\.\d+"):
            refresh(pool, embedded, index=poor)
        assert live_pointer(pool).generation.generation_id == good["generation"]
        refused = list_generations(pool)[0]
        assert refused.status == "refused"
        assert refused.recall_at_10 < 0.9
        assert tables_of(database_dsn) == {"g1_items", "g1_passages"}

    def test_is_measured_on_the_index_and_not_on_a_scan_of_the_table(self, pool, embedded):
        crown(pool, 1)
        refresh(pool, embedded)
        with pool.connection() as conn:
            conn.execute("SET LOCAL enable_seqscan = off")
            plan = conn.execute(
                "EXPLAIN SELECT item_id FROM g1_items ORDER BY embedding <#> %s LIMIT 10",
                (clustered(1, 32, seed=1)[0],),
            ).fetchall()
        assert any("Index Scan using g1_items_embedding_idx" in line for (line,) in plan)

    def test_counts_equal_vectors_as_found(self, pool, embedded):
        crown(pool, 1)
        same = embedded.vectors[0]["vector"]
        for row in (*embedded.vectors, *embedded.passages):
            row["vector"] = same
        embedded.write()
        assert refresh(pool, embedded)["recall_at_10"] == 1.0


class TestRollback:
    def test_brings_back_generation_and_champion_in_one_step(self, pool, embedded):
        crown(pool, 1)
        refresh(pool, embedded)
        crown(pool, 2)
        refresh(pool, embedded)
        live = roll_back(pool)
        assert (live.generation.release_version, live.previous.release_version) == (1, 2)
        states = {each.version: each.state for each in ReleaseStore(pool).all()}
        assert states == {1: "champion", 2: "retired"}
        assert ReleaseStore(pool).get(2).decision["verdict"] == "rolled_back"

    def test_is_undone_by_a_second_one(self, pool, embedded):
        crown(pool, 1)
        refresh(pool, embedded)
        crown(pool, 2)
        refresh(pool, embedded)
        roll_back(pool)
        assert roll_back(pool).generation.release_version == 2
        assert ReleaseStore(pool).in_state("champion").version == 2

    def test_is_kept_by_the_next_refresh(self, pool, embedded):
        crown(pool, 1)
        refresh(pool, embedded)
        crown(pool, 2)
        refresh(pool, embedded)
        roll_back(pool)
        report = refresh(pool, embedded)
        assert (report["release"], report["switched"], report["computed"]) == (1, False, 0)

    def test_forward_again_needs_no_build(self, pool, embedded):
        crown(pool, 1)
        refresh(pool, embedded)
        crown(pool, 2)
        refresh(pool, embedded)
        roll_back(pool)
        ReleaseStore(pool).crown(2, {"verdict": "promote"})
        report = refresh(pool, embedded)
        assert (report["release"], report["switched"], report["computed"]) == (2, True, 0)
        assert report["previous"] == 1

    def test_says_when_there_is_nothing_to_go_back_to(self, pool, embedded):
        with pytest.raises(MissingStageError, match="plmrec refresh"):
            roll_back(pool)
        crown(pool, 1)
        refresh(pool, embedded)
        with pytest.raises(MissingStageError, match="previous generation"):
            roll_back(pool)


_BUILD = """
import sys
from plmrec.params import IndexParams
from plmrec.stages.index_rows import open_sources
from plmrec.stages.refresh import refresh_index
from plmrec.stores.database import open_database
from plmrec.stores.releases import ReleaseStore
from plmrec.stores.workspace import Workspace

dsn, url, fingerprint = sys.argv[1:]
with open_database(dsn) as pool:
    sources = open_sources(
        Workspace(url), n_shards=2, fingerprint=fingerprint, dataset_digest="da7a.dir"
    )
    refresh_index(
        pool=pool, release=ReleaseStore(pool).in_state("champion"), sources=sources,
        index=IndexParams(m=24, ef_construction=100), seed=7,
        on_progress=lambda done, total: print(done, flush=True),
    )
"""


@pytest.mark.parametrize("kill_after", ["1", "2"], ids=["while loading", "while indexing"])
def test_a_refresh_killed_halfway_leaves_the_live_index_and_is_made_good(
    pool, tmp_path, database_dsn, kill_after
):
    crown(pool, 1)
    embedded = Embedded(str(tmp_path / "ws"), n_items=1000, dim=64)
    embedded.write()
    index = IndexParams(m=24, ef_construction=100)
    undisturbed = refresh(pool, embedded, index=index)
    embedded.reword(0)
    embedded.write()
    arguments = [sys.executable, "-c", _BUILD, database_dsn, str(tmp_path / "ws"), FINGERPRINT]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            if line.strip() == kill_after:
                os.kill(child.pid, signal.SIGKILL)
                break
    assert child.wait() == -signal.SIGKILL
    assert live_pointer(pool).generation.generation_id == undisturbed["generation"]
    assert len(similar_to(pool, "i1", k=10)) == 10
    assert "building" in {each.status for each in list_generations(pool)}
    started = time.monotonic()
    report = refresh(pool, embedded, index=index)
    assert time.monotonic() - started < 60
    assert report["switched"]
    assert tables_of(database_dsn) == {
        f"g{number}_{part}"
        for number in (1, report["generation"])
        for part in ("items", "passages")
    }
    embedded.items[0]["title"] = embedded.items[0]["title"].removesuffix("!")
    embedded.write()
    assert refresh(pool, embedded, index=index)["digest"] == undisturbed["digest"]
