"""From vectors to releases: one is trained, judged, promoted, with the taxonomy it knows."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from plmrec.app.answers import recommend
from plmrec.app.context import open_context
from plmrec.app.evaluate import evaluate, promote
from plmrec.app.inputs import read_inputs
from plmrec.app.releases import list_releases
from plmrec.app.train import should_train, train
from plmrec.app.training_data import load_catalogue
from plmrec.errors import DataContractError, MissingStageError
from plmrec.params import Params
from plmrec.stores.database import open_database
from plmrec.stores.tables import meanings_table
from plmrec.stores.taxonomies import save_taxonomy
from plmrec.tags import Tag, Taxonomy
from tests.support.tagged import fill

pytestmark = pytest.mark.integration


@pytest.fixture
def where(service_settings, embedded_tiny, untuned):
    """Keyword arguments of every app function."""
    shutil.copytree(embedded_tiny, service_settings.workspace)
    return {"settings": service_settings, "params": untuned}


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

    def test_without_vectors_it_names_the_stage_to_run(self, service_settings, untuned):
        with pytest.raises(MissingStageError, match=r"manifest\.json"):
            train(settings=service_settings, params=untuned)


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
