"""What tuning tried is kept in the workspace while it runs, and in MLflow when it is done."""

from __future__ import annotations

import json

import pytest
import yaml

from plmrec.app.context import open_context, tracking_uri
from plmrec.app.train import train
from plmrec.params import Params
from plmrec.stages.part_search import Panel
from plmrec.stores.database import open_database
from tests.support.tiny import WEIGHTLESS_PARAMS, write_tiny_dataset

pytestmark = pytest.mark.integration

TRAINING = {
    "options": {
        "parts": {
            "popularity": {"backend": "popularity"},
            "recent_popularity": {"backend": "recent_popularity"},
            "ease": {"backend": "ease"},
        }
    },
    "space": {"ease": {"l2": {"low": 1, "high": 500, "log": True}, "reads": ["liked", "seen"]}},
    "starts": {"ease": [{"l2": 20.0}]},
    "trials": 5,
    "budget_s": 600.0,
}


@pytest.fixture
def where(service_settings, tmp_path):
    """Keyword arguments of every app function, with an embedded tiny dataset."""
    from plmrec.app.embed import embed
    from plmrec.app.transcribe import transcribe
    from plmrec.app.validate import validate

    params = Params.model_validate({**yaml.safe_load(WEIGHTLESS_PARAMS), "training": TRAINING})
    dataset = write_tiny_dataset(tmp_path / "dataset")
    given = {"settings": service_settings, "params": params}
    for stage in (lambda **kw: validate(str(dataset), **kw), transcribe, embed):
        stage(**given)
    return given


def test_every_setting_tried_is_a_run_beneath_the_trainings(where):
    from plmrec.tracking.connection import connect

    report = train(**where)
    client = connect(tracking_uri(open_context(**where)))
    parent = client.get_run(report["mlflow_run_id"])
    runs = client.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    )
    names = sorted(run.info.run_name for run in runs)
    assert names == [*(f"ease {n}" for n in range(5)), "popularity 0", "recent_popularity 0"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    ease = {run.info.run_name: run for run in runs if run.data.params["part"] == "ease"}
    assert ease["ease 0"].data.params == {"part": "ease", "l2": "200.0", "reads": "liked"}
    assert ease["ease 1"].data.params == {"part": "ease", "l2": "20.0", "reads": "liked"}
    assert ease["ease 4"].data.tags["ended_by"] == "trials"
    assert [run.data.tags.get("chosen") for run in ease.values()].count("yes") == 1
    assert all(0 <= run.data.metrics["ndcg_at_10"] <= 1 for run in runs)
    assert parent.data.tags["parts_out_of_budget"] == "none"
    assert report["metrics"]["n_parts_out_of_budget"] == 0


def test_a_training_killed_in_its_tuning_goes_on_and_fits_the_same(where, monkeypatch):
    class Killed(BaseException):
        pass

    judge, judged = Panel.judge, []

    def die(*each):
        judged.append(0)
        if len(judged) == 5:
            raise Killed
        return judge(*each)

    with monkeypatch.context() as patch:
        patch.setattr(Panel, "judge", die)
        with pytest.raises(Killed):
            train(**where)
    (file,) = open_context(**where).workspace.local("state", "tuning").glob("*.log")
    assert all(isinstance(json.loads(line), dict) for line in file.open())
    with monkeypatch.context() as patch:
        patch.setattr(Panel, "judge", lambda *each: judged.append(0) or judge(*each))
        resumed = train(**where)
    assert len(judged) == 7 + 1  # all seven settings, and the one that was cut off
    file.unlink()
    url = where["settings"].database_url.get_secret_value()
    with open_database(url) as pool, pool.connection() as conn:
        conn.execute("UPDATE release SET input_digest = 'another'")
    again = train(**where)
    assert again["release"] != resumed["release"]
    assert again["digest"] == resumed["digest"]
