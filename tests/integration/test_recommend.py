"""What a release answers: one list, all lists, and those of the model that MLflow serves."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from plmrec.app.answers import recommend, recommend_all
from plmrec.app.context import open_context
from plmrec.app.evaluate import evaluate
from plmrec.app.refresh import refresh
from plmrec.app.releases import release_folder
from plmrec.app.train import train
from plmrec.app.training_data import load_catalogue, load_history
from plmrec.errors import DataContractError, MissingStageError, ParamsError
from plmrec.stores.database import open_database
from plmrec.stores.releases import ReleaseStore

pytestmark = pytest.mark.integration


@pytest.fixture
def where(service_settings, embedded_tiny, untuned):
    """Keyword arguments of every app function."""
    shutil.copytree(embedded_tiny, service_settings.workspace)
    return {"settings": service_settings, "params": untuned}


@pytest.fixture
def live(where):
    """The same, with a promoted release and a live generation."""
    train(**where)
    evaluate(**where)
    refresh(**where)
    return where


class TestServed:
    def test_the_champion_alias_answers_as_the_library_does(self, live):
        import mlflow
        import pandas as pd

        from plmrec.recommend.release import unpack_release
        from plmrec.recommend.served import answer_histories
        from plmrec.stores.state_folder import read_state

        uri = live["settings"].mlflow_tracking_uri
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        model = mlflow.pyfunc.load_model("models:/plmrec@champion")
        histories = [["i0", "i3", "i6"], [], ["unknown"], ["i1"]]
        served = model.predict(pd.DataFrame({"history": histories}), params={"k": 4})

        context = open_context(**live)
        with open_database(live["settings"].database_url.get_secret_value()) as pool:
            release = ReleaseStore(pool).in_state("champion")
        arrays, values = read_state(release_folder(context, release))
        expected = answer_histories(unpack_release(arrays, values, version=""), histories, k=4)
        assert served["item_ids"].tolist() == expected["item_ids"].tolist()
        np.testing.assert_array_equal(np.stack(served["scores"]), np.stack(expected["scores"]))
        assert served["source"].tolist()[1:3] == ["recent_popularity"] * 2
        assert not {"i0", "i3", "i6"} & set(served["item_ids"][0])


class TestRecommend:
    def test_a_known_user_gets_exactly_k_unseen_items_of_their_taste_with_reasons(self, live):
        found = recommend("u0", 10, **live)
        assert [each["rank"] for each in found] == list(range(1, 11))
        assert len({each["item_id"] for each in found}) == 10
        seen = seen_by("u0", live)
        assert seen
        assert not seen & {each["item_id"] for each in found}
        assert all(each["reason"]["text"] for each in found)
        assert found[0]["reason"]["kind"] in {"tags", "neighbours", "passage"}
        assert set(found[0]["reason"]["item_ids"]) <= seen
        # u0 likes whales: every third item
        assert {int(each["item_id"][1:]) % 3 for each in found[:3]} == {0}
        assert len(recommend("u0", 500, **live)) == 30 - len(seen)

    def test_unknown_users_get_recent_popularity_labelled_so(self, live):
        for user in ("nobody", "", "'; DROP TABLE release; --", "\ud800"):
            found = recommend(user, 3, **live)
            assert len(found) == 3
            assert {each["source"] for each in found} == {"recent_popularity"}
            assert {each["reason"]["kind"] for each in found} == {"popular"}
        assert len(recommend("nobody", 500, **live)) == 30

    def test_a_lost_cache_is_fetched_from_mlflow_and_a_changed_one_refused(self, live):
        before = recommend("u0", 5, **live)
        cache = Path(live["settings"].workspace) / "releases" / "1"
        shutil.rmtree(cache)
        assert recommend("u0", 5, **live) == before
        (cache / "model.json").write_text("{}")
        assert recommend("u0", 5, **live) == before
        root = Path(live["settings"].workspace) / "mlflow" / "artifacts"
        for path in root.rglob("artifacts/state/model.json"):
            path.write_text("{}")
        (cache / "model.json").write_text("{}")
        with pytest.raises(DataContractError, match="expected state"):
            recommend("u0", 5, **live)

    def test_without_a_live_generation_it_names_the_stage_to_run(self, where):
        with pytest.raises(MissingStageError, match="plmrec refresh"):
            recommend("u0", 3, **where)


class TestRecommendAll:
    def test_the_file_holds_every_users_list_as_recommend_gives_it(self, live, tmp_path):
        alone = {user: recommend(user, 4, **live) for user in ("u0", "u17")}
        for suffix, read in ((".csv", pyarrow.csv.read_csv), (".parquet", pq.read_table)):
            file = tmp_path / f"lists{suffix}"
            summary = recommend_all(4, file, **live)
            rows = read(file).to_pylist()
            assert (summary["users"], summary["rows"], len(rows)) == (40, 160, 160)
            assert list(rows[0]) == ["user_id", "rank", "item_id", "score", "source", "release"]
            for user, expected in alone.items():
                mine = [row for row in rows if row["user_id"] == user]
                assert [(row["rank"], row["item_id"], row["source"]) for row in mine] == [
                    (each["rank"], each["item_id"], each["source"]) for each in expected
                ]
        assert not list(tmp_path.glob(".*tmp"))

    def test_another_suffix_is_refused_before_anything_is_computed(self, where, tmp_path):
        with pytest.raises(ParamsError, match=r"\.csv or \.parquet"):
            recommend_all(4, tmp_path / "lists.xlsx", **where)


def seen_by(user, where):
    context = open_context(**where)
    catalogue = load_catalogue(context, context.workspace.list("embeddings")[0])
    history = load_history(context, catalogue, user)
    return {catalogue.item_ids[place] for place in history.items}
