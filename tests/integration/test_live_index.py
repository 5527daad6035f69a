"""Reading the live index: the right answers, whole ones, and none lost while it is replaced."""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pytest

from plmrec.app.explore import similar_to
from plmrec.params import IndexParams
from plmrec.stores.generations import list_generations, live_pointer, roll_back
from plmrec.stores.live import ask_live, search_items, search_passages, vector_of
from tests.support.embedded import Embedded, clustered, crown, refresh, refresh_changed
from tests.support.live_questions import best_passages, nearest_items

pytestmark = pytest.mark.integration


@pytest.fixture
def embedded(tmp_path):
    embedded = Embedded(str(tmp_path / "ws"))
    embedded.write()
    return embedded


class TestReading:
    def test_nearest_items_are_those_of_exact_search(self, pool, embedded):
        crown(pool, 1)
        refresh(pool, embedded)
        query = clustered(1, 32, seed=5)[0]
        matrix = np.array([row["vector"] for row in embedded.vectors], dtype=np.float32)
        order = np.argsort(-(matrix @ query))[:10]
        hits = nearest_items(pool, query, k=10)
        assert [hit.item_id for hit in hits] == [f"i{place}" for place in order]
        assert [hit.score for hit in hits] == pytest.approx((matrix @ query)[order], abs=1e-5)

    def test_exclusions_never_starve_the_answer(self, pool, tmp_path):
        crown(pool, 1)
        embedded = Embedded(str(tmp_path / "many"), n_items=3000, dim=64, n_shards=1)
        embedded.write()
        refresh(pool, embedded, index=IndexParams(ef_search=10, min_recall=0.0))
        query = np.asarray(embedded.vectors[0]["vector"], dtype=np.float32)
        ranked = [hit.item_id for hit in nearest_items(pool, query, k=3000)]
        assert len(ranked) == 3000
        for n_seen in (120, 1000, 2990):
            left = nearest_items(pool, query, k=10, exclude=ranked[:n_seen])
            assert len(left) == 10
            assert not {hit.item_id for hit in left} & set(ranked[:n_seen])
        assert len(nearest_items(pool, query, k=10, exclude=ranked[:2995])) == 5

    def test_a_scan_that_gives_up_early_is_made_good_by_exact_search(self, pool, tmp_path):
        crown(pool, 1)
        embedded = Embedded(str(tmp_path / "many"), n_items=3000, dim=64, n_shards=1)
        embedded.write()
        refresh(pool, embedded, index=IndexParams(ef_search=10, min_recall=0.0))

        def question(conn, live):
            conn.execute("SET LOCAL hnsw.max_scan_tuples = 1")
            conn.execute("SET LOCAL enable_seqscan = off")
            query = vector_of(conn, live, "i0")
            return search_passages(conn, live, query, k=500)

        assert len({hit.item_id for hit in ask_live(pool, question)}) == 500

    def test_passages_of_an_item_come_whole_and_by_nearness(self, pool, embedded):
        crown(pool, 1)
        refresh(pool, embedded)
        rows = [row for row in embedded.passages if row["item_id"] == "i2"]
        query = np.asarray(rows[1]["vector"], dtype=np.float32)
        best = best_passages(pool, "i2", query, k=9)
        assert sorted(each.passage_no for each in best) == [0, 1, 2]
        assert best[0].passage_no == 1
        assert best[0].score == pytest.approx(1.0, abs=1e-5)
        assert (best[0].start_s, best[0].end_s) == (10.0, 19.5)
        assert best_passages(pool, "none", query, k=2) == []

    def test_a_reader_that_slept_through_two_refreshes_is_answered_from_the_new_index(
        self, pool, embedded
    ):
        crown(pool, 1)
        refresh(pool, embedded)
        asked = []

        def question(conn, live):
            asked.append(live.generation_id)
            if len(asked) == 1:  # has resolved the pointer, has not touched a table
                refresh_changed(pool, embedded)
                refresh_changed(pool, embedded)
            return len(search_items(conn, live, vector_of(conn, live, "i0"), k=10))

        assert ask_live(pool, question) == 10
        assert asked == [1, 3]

    def test_a_generation_that_is_being_read_is_dropped_by_a_later_refresh(
        self, pool, embedded, monkeypatch
    ):
        monkeypatch.setattr("plmrec.stores.building._DROP_WAIT", "100ms")
        crown(pool, 1)
        refresh(pool, embedded)

        def question(conn, live):
            assert vector_of(conn, live, "i0") is not None
            reports = [refresh_changed(pool, embedded) for _ in range(2)]
            assert vector_of(conn, live, "i0") is not None
            return [report["dropped"] for report in reports]

        assert ask_live(pool, question) == [[], []]
        report = refresh(pool, embedded)
        assert (report["computed"], report["dropped"]) == (0, [1])
        status = {each.generation_id: each.status for each in list_generations(pool)}
        assert status == {1: "dropped", 2: "ready", 3: "ready"}

    def test_readers_see_no_error_and_no_short_answer_during_refreshes(self, pool, embedded):
        crown(pool, 1)
        refresh(pool, embedded)
        queries = clustered(50, 32, seed=9)
        stop, problems, counts = threading.Event(), [], [0, 0, 0]

        def search(query, conn, live):
            return search_passages(conn, live, query, k=10)

        def hammer(number):
            rng = np.random.default_rng(number)
            while not stop.is_set():
                try:
                    items = similar_to(pool, f"i{rng.integers(60)}", k=10)
                    spoken = ask_live(pool, partial(search, queries[rng.integers(50)]))
                    if items is None or len(items) != 10 or len(spoken) != 10:
                        problems.append((items, spoken))
                except BaseException as err:  # noqa: BLE001 - any error is a finding
                    problems.append(err)
                counts[number] += 1

        readers = [threading.Thread(target=hammer, args=(number,)) for number in range(3)]
        for reader in readers:
            reader.start()
        try:
            for _ in range(6):
                refresh_changed(pool, embedded)
            roll_back(pool)
        finally:
            stop.set()
            for reader in readers:
                reader.join(timeout=30)
        assert problems == []
        assert min(counts) > 20
        assert live_pointer(pool).previous is not None
