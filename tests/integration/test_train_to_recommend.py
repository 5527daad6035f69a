"""From vectors to lists: a release is trained, judged, promoted, served, and answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import yaml

from plmrec.app.answers import recommend, recommend_all
from plmrec.app.context import open_context
from plmrec.app.evaluate import evaluate, promote
from plmrec.app.inputs import read_inputs
from plmrec.app.releases import list_releases, release_folder
from plmrec.app.train import should_train, train
from plmrec.app.training_data import load_catalogue
from plmrec.errors import DataContractError, MissingStageError, ParamsError
from plmrec.params import Params
from plmrec.stores.database import open_database
from plmrec.stores.releases import ReleaseStore
from plmrec.stores.tables import meanings_table
from plmrec.stores.taxonomies import save_taxonomy
from plmrec.tags import Tag, Taxonomy
from tests.support.tagged import fill
from tests.support.tiny import WEIGHTLESS_PARAMS, write_tiny_dataset

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def params() -> Params:
    values = yaml.safe_load(WEIGHTLESS_PARAMS)
    values["training"]["tune"] = False  # what is tuned is not the subject here
    return Params.model_validate(values)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory, params) -> Path:
    """A workspace with an embedded tiny dataset, to copy from."""
    from plmrec.app.embed import embed
    from plmrec.app.transcribe import transcribe
    from plmrec.app.validate import validate
    from plmrec.settings import Settings

    folder = tmp_path_factory.mktemp("embedded")
    dataset = write_tiny_dataset(folder / "dataset")
    settings = Settings(workspace=str(folder / "workspace"))
    validate(str(dataset), settings=settings, params=params)
    transcribe(settings=settings, params=params)
    embed(settings=settings, params=params)
    return folder / "workspace"


@pytest.fixture
def where(service_settings, embedded, params):
    """Keyword arguments of every app function."""
    shutil.copytree(embedded, service_settings.workspace)
    return {"settings": service_settings, "params": params}


@pytest.fixture
def live(where):
    """The same, with a promoted release and a live generation."""
    from plmrec.app.refresh import refresh

    train(**where)
    evaluate(**where)
    refresh(**where)
    return where


def registry_of(where, model="plmrec"):
    from plmrec.app.releases import open_registry

    return open_registry(open_context(**where), model)


class TestTrain:
    def test_a_training_becomes_the_challenger_in_both_places(self, where):
        report = train(**where)
        assert (report["computed"], report["reused"], report["state"]) == (1, 0, "challenger")
        assert report["in"] == report["out"] == 320
        assert registry_of(where).aliases() == {"challenger": report["release"]}
        assert registry_of(where, "plmrec-encoder").aliases() == {"challenger": 1}
        tags = registry_of(where).versions()[report["release"]].tags
        assert tags["dataset_digest"].endswith(".dir")
        assert tags["encoder_fingerprint"]

    def test_the_same_inputs_give_the_same_release(self, where):
        first = train(**where)
        second = train(**where)
        assert (second["computed"], second["reused"]) == (0, 1)
        assert (second["release"], second["digest"]) == (first["release"], first["digest"])
        assert len(registry_of(where).versions()) == 1

    def test_training_again_elsewhere_gives_the_same_state(self, where):
        first = train(**where)
        context = open_context(**where)
        url = where["settings"].database_url.get_secret_value()
        with open_database(url) as pool, pool.connection() as conn:
            conn.execute("UPDATE release SET input_digest = 'another'")
        second = train(**where)
        assert second["release"] == first["release"] + 1
        assert second["digest"] == first["digest"]
        assert context.workspace.list("releases") == ["1", "2"]

    def test_other_parameters_give_another_release_and_retire_the_challenger(self, where):
        first = train(**where)
        other = where["params"].model_copy(update={"seed": 8})
        second = train(settings=where["settings"], params=other)
        assert second["release"] != first["release"]
        states = {each["version"]: each["state"] for each in list_releases(**where)}
        assert states == {first["release"]: "retired", second["release"]: "challenger"}

    def test_is_due_without_a_release_and_then_not_for_a_while(self, where):
        assert should_train(**where)
        train(**where)
        assert not should_train(**where)
        assert should_train(True, **where)
        eager = where["params"].model_copy(
            update={
                "training": where["params"].training.model_copy(update={"min_interval_days": 0})
            }
        )
        assert should_train(settings=where["settings"], params=eager)

    def test_a_training_killed_before_the_challenge_is_finished_by_the_next(
        self, where, monkeypatch
    ):
        from plmrec.releases.life import ReleaseLife

        class Killed(BaseException):
            pass

        def die(self, version):
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(ReleaseLife, "challenge", die)
            with pytest.raises(Killed):
                train(**where)
        assert [each["state"] for each in list_releases(**where)] == ["candidate"]
        report = train(**where)
        assert (report["computed"], report["state"]) == (0, "challenger")
        assert registry_of(where).aliases() == {"challenger": report["release"]}

    def test_what_mlflow_keeps_holds_no_pickle_and_no_user(self, where):
        train(**where)
        evaluate(**where)
        root = Path(where["settings"].workspace) / "mlflow" / "artifacts"
        files = [path for path in root.rglob("*") if path.is_file()]
        assert {"state.safetensors", "model.json", "MLmodel"} <= {path.name for path in files}
        assert not [path for path in files if path.suffix in {".pkl", ".pickle", ".joblib"}]
        for path in files:
            assert b'"u1"' not in path.read_bytes(), path

    def test_without_vectors_it_names_the_stage_to_run(self, service_settings, params):
        with pytest.raises(MissingStageError, match=r"manifest\.json"):
            train(settings=service_settings, params=params)


class TestEvaluate:
    def test_the_first_release_is_promoted_when_it_beats_popularity(self, where):
        release = train(**where)["release"]
        report = evaluate(**where)
        assert (report["decision"], report["computed"]) == ("promote", 1)
        assert "popularity" in report["reasons"][0]
        assert report["metrics"]["ndcg@10"] > 0
        assert registry_of(where).aliases() == {"champion": release}
        assert registry_of(where).versions()[release].tags["gate.status"] == "promote"

    def test_without_a_challenger_the_champion_is_kept_and_nothing_computed(self, where):
        train(**where)
        evaluate(**where)
        report = evaluate(**where)
        assert (report["decision"], report["computed"]) == ("keep", 0)

    def test_a_verdict_without_promotion_leaves_that_to_promote(self, where):
        release = train(**where)["release"]
        report = evaluate(promote=False, **where)
        assert (report["decision"], report["approval"]) == ("promote", "auto")
        assert registry_of(where).aliases() == {"challenger": release}
        again = evaluate(promote=False, **where)
        assert (again["computed"], again["digest"]) == (0, report["digest"])
        done = promote(str(release), **where)
        assert (done["release"], done["previous"]) == (release, None)
        assert registry_of(where).aliases() == {"champion": release}

    def test_a_policy_that_asks_for_a_person_promotes_nobody(self, where):
        release = train(**where)["release"]
        policy = where["params"].policy.model_copy(update={"approval": "human"})
        asking = where["params"].model_copy(update={"policy": policy})
        report = evaluate(settings=where["settings"], params=asking)
        assert (report["decision"], report["approval"]) == ("promote", "human")
        assert registry_of(where).aliases() == {"challenger": release}

    def test_a_challenger_below_the_policy_is_retired_and_the_champion_stays(self, where):
        champion = train(**where)["release"]
        evaluate(**where)
        strict = where["params"].model_copy(
            update={
                "seed": 8,
                "policy": where["params"].policy.model_copy(update={"min_gain": 0.9}),
            }
        )
        challenger = train(settings=where["settings"], params=strict)["release"]
        report = evaluate(settings=where["settings"], params=strict)
        assert (report["decision"], report["champion"]) == ("reject", champion)
        assert "gain" in report["reasons"][0]
        assert registry_of(where).aliases() == {"champion": champion}
        states = {each["version"]: each["state"] for each in list_releases(**where)}
        assert states == {champion: "champion", challenger: "retired"}
        again = train(settings=where["settings"], params=strict)
        assert (again["release"], again["state"]) == (challenger, "retired")

    def test_a_better_challenger_makes_the_champion_previous(self, where):
        champion = train(**where)["release"]
        evaluate(**where)
        lenient = where["params"].model_copy(
            update={
                "seed": 8,
                "policy": where["params"].policy.model_copy(
                    update={"min_gain": -1.0, "max_slice_loss": 1.0}
                ),
            }
        )
        challenger = train(settings=where["settings"], params=lenient)["release"]
        assert evaluate(settings=where["settings"], params=lenient)["decision"] == "promote"
        assert registry_of(where).aliases() == {"champion": challenger, "previous": champion}

    def test_without_any_release_it_names_the_stage_to_run(self, where):
        with pytest.raises(MissingStageError, match="plmrec train"):
            evaluate(**where)

    def test_an_unknown_release_is_refused(self, where):
        with pytest.raises(DataContractError, match="version 12"):
            promote(12, **where)


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
    from plmrec.app.training_data import load_catalogue, load_history

    context = open_context(**where)
    catalogue = load_catalogue(context, context.workspace.list("embeddings")[0])
    history = load_history(context, catalogue, user)
    return {catalogue.item_ids[place] for place in history.items}


class TestTaxonomy:
    """A workspace whose items carry tags, and a recommender that weighs interests in them."""

    @pytest.fixture
    def tagged(self, where):
        parts = {"taste": {"backend": "interest_profile"}, "popularity": {"backend": "popularity"}}
        training = {"tune": False, "options": {"parts": parts}}
        params = Params.model_validate(where["params"].model_dump() | {"training": training})
        write_tags(where, version=1)
        return where | {"params": params}

    def test_is_recorded_in_the_release_and_in_mlflow(self, tagged):
        version = train(**tagged)["release"]
        (release,) = list_releases(**tagged)
        assert (release["taxonomy_version"], release["taxonomy_digest"]) == (1, "digest 1")
        assert registry_of(tagged).versions()[version].tags["taxonomy_digest"] == "digest 1"

    def test_another_one_is_another_release(self, tagged):
        first = train(**tagged)
        assert train(**tagged)["reused"] == 1
        write_tags(tagged, version=2)
        assert train(**tagged)["computed"] == 1
        assert [each["taxonomy_version"] for each in list_releases(**tagged)] == [2, 1]
        assert first["release"] == 1

    def test_gives_reasons_that_name_tags_which_both_items_carry(self, tagged):
        from plmrec.app.refresh import refresh

        train(**tagged)
        evaluate(**tagged)
        refresh(**tagged)
        found = recommend("u0", 10, **tagged)  # likes whales
        reasons = [each["reason"] for each in found if each["reason"]["tags"]]
        assert reasons
        for reason in reasons:
            assert reason["kind"] == "tags"
            assert reason["text"].startswith("Matches your interest in ")
        assert {name for reason in reasons for name in reason["tags"]} == {"On whales"}


def write_tags(where, *, version: int) -> None:
    """Give every item the tag of its genre, in a taxonomy of one tag a genre."""
    context = open_context(**where)
    fingerprint = read_inputs(context).fingerprint
    catalogue = load_catalogue(context, fingerprint)
    topics = sorted({name for names in catalogue.genres for name in names})
    vectors = np.eye(len(topics), catalogue.vectors.shape[1], dtype=np.float32)
    save_taxonomy(
        context.workspace,
        Taxonomy(
            version=version,
            digest=f"digest {version}",
            fingerprint=fingerprint,
            tags=tuple(Tag(tag_id=t, name=f"On {t}", origin="curated") for t in topics),
            vectors=vectors,
            mean=np.zeros(vectors.shape[1], dtype=np.float32),
            offsets=np.full(len(topics), 0.5, dtype=np.float32),
            scales=np.full(len(topics), 0.1, dtype=np.float32),
        ),
    )
    carried = {"strength": 0.9, "similarity": 0.5, "is_label": False}
    rows = [
        {
            "item_id": item_id,
            "tags": [{"tag_id": name} | carried for name in names],
            "taxonomy_version": version,
        }
        for item_id, names in zip(catalogue.item_ids, catalogue.genres, strict=True)
    ]
    fill(meanings_table(context.workspace, context.params.shards, fingerprint), rows)
