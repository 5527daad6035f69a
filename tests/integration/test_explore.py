"""What people and programs ask the live index: similar, search, trace, live, rollback."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from plmrec.app.context import open_context
from plmrec.app.embed import load_encoder
from plmrec.app.explore import search, similar
from plmrec.app.refresh import GENERATION_TAG, has_champion, refresh, rollback, show_live
from plmrec.app.releases import open_registry
from plmrec.app.trace import trace
from plmrec.errors import MissingStageError, ParamsError
from plmrec.params import Params
from plmrec.stores.database import open_database
from plmrec.stores.quarantine import Quarantine, Refusal
from plmrec.stores.tables import meanings_table
from plmrec.stores.taxonomies import save_taxonomy
from tests.support.embedded import Embedded, crown
from tests.support.tagged import fill, taxonomy

pytestmark = pytest.mark.integration

PARAMS = Params.model_validate(
    {"shards": 2, "encoder": {"backend": "hashing", "options": {"dim": 64}}}
)


@pytest.fixture
def embedded(service_settings):
    encoder = load_encoder(open_context(service_settings, PARAMS))
    embedded = Embedded(
        service_settings.workspace,
        dim=encoder.dim,
        encode=encoder.encode,
        fingerprint=encoder.fingerprint,
    )
    embedded.write()
    return embedded


@pytest.fixture
def live(service_settings, embedded):
    """Keyword arguments of a workspace with a live generation of release 1."""
    with open_database(service_settings.database_url.get_secret_value()) as pool:
        crown(pool, 1, fingerprint=embedded.fingerprint)
    where = {"settings": service_settings, "params": PARAMS}
    refresh(**where)
    return where


def crown_next(where, embedded, version):
    with open_database(where["settings"].database_url.get_secret_value()) as pool:
        crown(pool, version, fingerprint=embedded.fingerprint)


class TestSimilar:
    def test_gives_k_other_items_best_first_each_with_a_reason(self, live):
        found = similar("i0", 10, **live)
        assert [row["rank"] for row in found] == list(range(1, 11))
        assert "i0" not in {row["item_id"] for row in found}
        scores = [row["score"] for row in found]
        assert scores == sorted(scores, reverse=True)
        assert all(row["reason"]["text"] for row in found)
        assert found[0]["release"] == "1"

    def test_names_what_both_items_share(self, live):
        found = {row["item_id"]: row["reason"] for row in similar("i0", 59, **live)}
        assert len(found) == 59
        assert found["i28"]["text"] == "Shares whales, by creator 0 with “Title 0”"
        assert found["i28"]["kind"] == "tags"
        assert found["i2"]["kind"] == "passage"
        assert found["i2"]["start_s"] is not None
        assert found["i3"]["start_s"] is None

    @pytest.mark.parametrize("item", ["nope", "'; DROP TABLE live; --", "nul\0", "\udcff"])
    def test_names_an_item_it_does_not_know(self, live, item):
        with pytest.raises(ParamsError, match="similar: expected an item of the live generation"):
            similar(item, 10, **live)

    def test_says_where_an_item_is_that_is_not_in_the_index(self, live, embedded):
        embedded.items.append({**embedded.items[0], "item_id": "new"})
        embedded.write()
        with pytest.raises(ParamsError, match="run `plmrec embed` and `plmrec refresh`"):
            similar("new", 10, **live)
        refusal = Refusal(
            stage="validate", table="items", key="bad", reason="no_title", detail="", origin=""
        )
        Quarantine(embedded.workspace).replace("validate", "items", [refusal])
        with pytest.raises(ParamsError, match=r"in quarantine \(no_title\)"):
            similar("bad", 10, **live)

    def test_needs_a_live_generation(self, service_settings):
        with pytest.raises(MissingStageError, match="plmrec refresh"):
            similar("i0", 10, settings=service_settings, params=PARAMS)


class TestSearch:
    def test_finds_the_passage_with_the_words_and_when_it_is_spoken(self, live):
        best = search("whales words8 part1", 5, **live)[0]
        assert (best["item_id"], best["passage"]) == ("i8", "whales words8 part1")
        assert (best["start_s"], best["end_s"]) == (10.0, 19.5)

    def test_gives_each_item_once_and_k_of_them(self, live):
        for k in (1, 10, 60):
            items = [row["item_id"] for row in search("whales", k, **live)]
            assert len(items) == len(set(items)) == k
        assert len(search("whales", 100, **live)) == 60

    def test_refuses_the_words_of_another_encoder(self, live):
        other = PARAMS.model_copy(
            update={"encoder": PARAMS.encoder.model_copy(update={"options": {"dim": 32}})}
        )
        with pytest.raises(ParamsError, match="expected the encoder of live generation 1"):
            search("whales", 5, settings=live["settings"], params=other)

    def test_refuses_to_search_for_nothing(self, live):
        with pytest.raises(ParamsError, match="expected some words"):
            search(" \n", 5, **live)


class TestTrace:
    def test_follows_an_item_from_media_to_mlflow_run(self, live):
        traced = trace("i2", **live)
        steps = {step["step"]: step for step in traced["steps"]}
        assert list(steps) == [
            "dataset",
            "item",
            "media",
            "transcript",
            "document",
            "tags",
            "passages",
            "encoder",
            "vector",
            "generation",
            "release",
            "mlflow run",
        ]
        assert (steps["dataset"]["digest"], steps["dataset"]["source"]) == ("da7a.dir", "test")
        assert (steps["media"]["digest"], steps["media"]["file"]) == ("media-2", "i2.wav")
        assert steps["transcript"]["facts"] == "status speech, backend scripted 1, segments 2"
        assert (steps["passages"]["passages"], steps["passages"]["spoken"]) == (3, 3)
        assert (steps["generation"]["generation"], steps["release"]["release"]) == (1, 1)
        assert steps["release"]["state"] == "champion"
        assert steps["mlflow run"]["run_id"] == "run-1"
        compared = {name: step["is_current"] for name, step in steps.items()}
        assert all(compared[name] for name in ("dataset", "item", "media", "transcript", "vector"))

    def test_names_the_items_tags_by_the_taxonomy_of_the_release(self, live, embedded):
        untold = {step["step"]: step for step in trace("i2", **live)["steps"]}["tags"]
        assert (untold["digest"], untold["facts"]) == (None, "")
        with open_database(live["settings"].database_url.get_secret_value()) as pool:
            conclude = "UPDATE release SET taxonomy_version = 1, taxonomy_digest = '7a901'"
            with pool.connection() as conn:
                conn.execute(conclude)
        save_taxonomy(embedded.workspace, taxonomy(fingerprint=embedded.fingerprint))
        table = meanings_table(embedded.workspace, embedded.n_shards, embedded.fingerprint)
        tag = {"tag_id": "genre:whales", "strength": 0.9, "similarity": 0.8, "is_label": True}
        fill(table, [{"item_id": "i2", "tags": [tag], "taxonomy_version": 1}])
        told = {step["step"]: step for step in trace("i2", **live)["steps"]}["tags"]
        assert told["facts"] == "taxonomy 1, carries Whales 0.90"
        assert (told["digest"], told["is_current"]) == ("7a901", True)

    def test_tells_which_steps_the_workspace_has_moved_on_from(self, live, embedded):
        embedded.reword(2)
        embedded.write()
        steps = {step["step"]: step["is_current"] for step in trace("i2", **live)["steps"]}
        assert steps["item"] is False
        assert steps["vector"] is True

    def test_names_an_item_it_does_not_know(self, live):
        with pytest.raises(ParamsError, match="trace: expected an item"):
            trace("nope", **live)


class TestReleases:
    def test_a_refresh_needs_a_champion(self, service_settings, embedded):
        where = {"settings": service_settings, "params": PARAMS}
        assert not has_champion(**where)
        with pytest.raises(MissingStageError, match="no champion yet"):
            refresh(**where)

    def test_a_rollback_names_both_generations_and_releases(self, live, embedded):
        crown_next(live, embedded, 2)
        refresh(**live)
        back = rollback(**live)
        assert (back["generation"], back["release"], back["previous_release"]) == (1, 1, 2)
        assert back["mlflow"] == "in step"
        shown = show_live(**live)
        assert (shown["generation"], shown["previous"]) == (1, 2)
        assert [each["generation_id"] for each in shown["generations"]] == [2, 1]
        assert similar("i0", 1, **live)[0]["release"] == "1"

    def test_a_rollback_holds_when_mlflow_does_not_answer(self, live, embedded):
        crown_next(live, embedded, 2)
        refresh(**live)
        away = live["settings"].model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
        back = rollback(settings=away, params=PARAMS)
        assert back["release"] == 1
        assert back["mlflow"].startswith("behind")

    def test_mlflow_learns_which_generation_serves_a_release(self, service_settings, embedded):
        where = {"settings": service_settings, "params": PARAMS}
        registry = open_registry(open_context(service_settings))
        registry.ensure("releases")
        registry.add(source="file:///nowhere", run_id="", model_id=None, tags={})
        crown_next(where, embedded, 1)
        refresh(**where)
        assert registry.versions()[1].tags[GENERATION_TAG] == "1"
        assert registry.aliases()["champion"] == 1


def run(settings, *arguments):
    environment = {
        "PATH": "/usr/bin:/bin",
        "PLMREC_WORKSPACE": settings.workspace,
        "PLMREC_DATABASE_URL": settings.database_url.get_secret_value(),
        "PLMREC_MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
    }
    return subprocess.run(
        [sys.executable, "-m", "plmrec", *arguments],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )


def test_the_commands_print_json_and_tables_and_fail_in_one_line(live, embedded, tmp_path):
    settings = live["settings"]
    (tmp_path / "params.yaml").write_text(
        "shards: 2\nencoder: {backend: hashing, options: {dim: 64}}\n"
    )
    params = f"--params={tmp_path / 'params.yaml'}"
    found = json.loads(run(settings, "similar", "i0", "--k", "3", "--json", params).stdout)
    assert len(found) == 3
    assert "whales words8 part1" in run(settings, "search", "whales words8 part1", params).stdout
    assert "mlflow run" in run(settings, "trace", "i2", params).stdout
    assert json.loads(run(settings, "refresh", "--json", params).stdout)["computed"] == 0
    assert json.loads(run(settings, "live", "--json", params).stdout)["generation"] == 1
    unknown = run(settings, "similar", "nope", params)
    assert unknown.returncode == 2
    assert unknown.stdout == ""
    assert unknown.stderr.startswith("plmrec: similar: expected an item of the live generation")
    assert len(unknown.stderr.splitlines()) == 1
    assert run(settings, "rollback", params).returncode == 2
