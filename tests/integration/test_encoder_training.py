"""From documents and likes to new encoders: trained, measured, registered, adopted or not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from plmrec.app.adapt import adapt
from plmrec.app.context import open_context
from plmrec.app.pretrain import pretrain
from plmrec.app.releases import open_registry
from plmrec.errors import GateError, MissingStageError, ParamsError
from plmrec.params import Params
from plmrec.releases.life import ENCODER_MODEL
from tests.support.tiny_training import save_trainable_bert, write_tastes_dataset

pytestmark = pytest.mark.integration


class Killed(Exception):
    """The process dies here."""


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return save_trainable_bert(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture(scope="module")
def params(base) -> Params:
    return Params.model_validate(
        {
            "shards": 2,
            "speech": {"backend": "scripted"},
            "encoder": {"backend": "transformer", "options": {"model": str(base)}},
            "pretraining": {"epochs": 8, "learning_rate": 3e-3, "head_steps": 5, "held_out": 0.3},
            "adaptation": {"epochs": 3, "learning_rate": 1e-3, "min_users": 1},
            "evaluation": {"resamples": 200},
        }
    )


@pytest.fixture(scope="module")
def embedded(tmp_path_factory, params) -> Path:
    """A workspace with an embedded tiny dataset, to copy from."""
    from plmrec.app.embed import embed
    from plmrec.app.transcribe import transcribe
    from plmrec.app.validate import validate
    from plmrec.settings import Settings

    folder = tmp_path_factory.mktemp("embedded")
    settings = Settings(workspace=str(folder / "workspace"))
    where = {"settings": settings, "params": params}
    validate(str(write_tastes_dataset(folder / "dataset")), **where)
    transcribe(**where)
    embed(**where)
    return folder / "workspace"


@pytest.fixture
def where(service_settings, embedded, params):
    """Keyword arguments of every app function."""
    shutil.copytree(embedded, service_settings.workspace)
    return {"settings": service_settings, "params": params}


def registered(where) -> dict:
    return open_registry(open_context(**where), ENCODER_MODEL).versions()


def current(where) -> str:
    return open_context(**where).workspace.read_json("embeddings", "current.json")["fingerprint"]


class TestPretrain:
    def test_a_new_version_is_trained_measured_and_registered_and_the_old_one_stays(self, where):
        before = current(where)
        result = pretrain(**where)
        assert result["loss_after"] < result["loss_before"]
        assert {each["measure"] for each in result["changes"]} == {
            "likes", "cold items", "retrieval",
        }  # fmt: skip
        folder = Path(result["folder"])
        assert folder.name == "tiny-bert-v1"
        assert json.loads((folder / "evaluation.json").read_text())["steps"] == result["steps"]
        tags = registered(where)[result["mlflow"]["version"]].tags
        assert tags["fingerprint"] == result["fingerprint"] != before
        assert tags["base_fingerprint"] == before == current(where)
        assert float(tags["evaluation.likes_after"]) == pytest.approx(
            result["changes"][0]["after"], abs=1e-5
        )
        assert not list((Path(where["settings"].workspace) / "state" / "pretrain").iterdir())

    def test_the_same_training_is_not_done_twice(self, where):
        first = pretrain(**where)
        steps = []
        again = pretrain(**where, progress=lambda done, _total: steps.append(done))
        assert (first["is_new"], again["is_new"], steps) == (True, False, [])
        assert again["fingerprint"] == first["fingerprint"]
        assert again["mlflow"] == first["mlflow"]
        assert len(registered(where)) == 1

    def test_a_version_that_is_measured_anew_keeps_its_number_and_tells_the_new_worth(self, where):
        first = pretrain(**where)
        shorter = where["params"].evaluation.model_copy(update={"k": 2})
        again = pretrain(
            settings=where["settings"],
            params=where["params"].model_copy(update={"evaluation": shorter}),
        )
        assert again["mlflow"] == first["mlflow"]
        after = again["changes"][0]["after"]
        assert after != pytest.approx(first["changes"][0]["after"], abs=1e-4)
        tags = registered(where)[first["mlflow"]["version"]].tags
        assert float(tags["evaluation.likes_after"]) == pytest.approx(after, abs=1e-5)

    def test_a_killed_training_goes_on(self, where):
        def die(done: int, _total: int) -> None:
            if done == 8:
                raise Killed

        with pytest.raises(Killed):
            pretrain(**where, progress=die)
        steps = []
        result = pretrain(**where, progress=lambda done, _total: steps.append(done))
        assert 0 < steps[0] <= 8
        assert steps[-1] == result["steps"]

    def test_an_encoder_without_weights_cannot_be_trained(self, where, params):
        weightless = params.model_copy(
            update={"encoder": params.encoder.model_copy(update={"backend": "hashing"})}
        )
        with pytest.raises(ParamsError, match=r"expected encoder\.backend transformer"):
            pretrain(settings=where["settings"], params=weightless)

    def test_a_workspace_without_a_dataset_is_refused(self, service_settings, params):
        with pytest.raises(MissingStageError):
            pretrain(settings=service_settings, params=params)


class TestAdapt:
    def test_likes_make_an_encoder_that_finds_more_likes_and_is_adopted(self, where):
        """Each user likes two topics without a common word, which no text tells."""
        result = adapt(**where)
        assert result["pairs"] > 20
        changes = {each["measure"]: each for each in result["changes"]}
        assert changes["likes"]["low"] > 0.2
        assert changes["likes"]["n"] == 60
        assert result["adopted"]
        assert registered(where)[1].tags["made_by"] == "adapt"
        assert registered(where)[1].tags["adopted"] == "yes"
        model = result["params"]["encoder"]["options"]["model"]
        assert Path(model) == Path(result["folder"])

    def test_a_version_that_is_no_better_is_kept_but_refused(self, where, params):
        still = params.adaptation.model_copy(update={"learning_rate": 1e-12, "max_steps": 1})
        where |= {"params": params.model_copy(update={"adaptation": still})}
        with pytest.raises(GateError, match="expected encoder tiny-bert-v1 to find more likes"):
            adapt(**where, require_gain=True)
        assert registered(where)[1].tags["adopted"] == "no"
