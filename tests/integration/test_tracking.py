"""What plmrec logs can be read back from MLflow, and nothing of it is a pickle."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest

from plmrec.errors import DataContractError, ServiceUnavailableError

pytestmark = pytest.mark.integration


def load_echo(folder):
    """Loader of the model under test: answers with what it was asked."""
    import pandas as pd

    name = json.loads((folder_path(folder) / "model.json").read_text())["name"]

    def answer(frame, *, k):
        return pd.DataFrame(
            {"items": [[name, *history][:k] for history in frame["history"]]}, index=frame.index
        )

    return answer


def folder_path(folder):
    from pathlib import Path

    return Path(folder)


@pytest.fixture
def client(mlflow_uri):
    from plmrec.tracking.connection import connect

    return connect(mlflow_uri)


@pytest.fixture
def interface():
    from plmrec.tracking.folder_model import Interface

    return Interface(
        loader=f"{__name__}:load_echo",
        inputs=[("history", "string", True)],
        outputs=[("items", "string", True)],
        params=[("k", "long", 10)],
        example=[{"history": ["a", "b"]}],
        packages=["numpy", "safetensors"],
    )


class TestRun:
    def test_parameters_metrics_dataset_and_files_are_read_back(self, client, tmp_path):
        from plmrec.tracking.runs import open_run

        with open_run(
            client, "plmrec-train", name="t", artifact_root=(tmp_path / "a").as_uri()
        ) as run:
            run.log_params({"seed": 7, "index": {"m": 16, "options": {}}, "backend": "hashing"})
            run.log_metrics({"ndcg@10": 0.25, "mrr": math.nan})
            run.log_dataset(
                name="sample", digest="0" * 32 + ".dir", source={"path": "x"}, context="train"
            )
            run.log_json({"a": 1}, "decision.json")
        found = client.get_run(run.run_id)
        assert found.info.status == "FINISHED"
        assert found.data.params == {
            "seed": "7",
            "index.m": "16",
            "index.options": "{}",
            "backend": "hashing",
        }
        assert found.data.metrics == {"ndcg_at_10": 0.25}
        (logged,) = found.inputs.dataset_inputs
        assert (logged.dataset.name, logged.dataset.digest) == ("sample", "0" * 32 + ".dir")
        assert [entry.path for entry in client.list_artifacts(run.run_id)] == ["decision.json"]
        assert list((tmp_path / "a" / "plmrec-train").iterdir())

    def test_a_run_whose_block_fails_is_marked_failed(self, client):
        from plmrec.tracking.runs import open_run

        with (
            pytest.raises(ZeroDivisionError),
            open_run(client, "plmrec-train", name="t") as run,
        ):
            _ = 1 / 0
        assert client.get_run(run.run_id).info.status == "FAILED"

    def test_more_parameters_than_one_request_may_hold_are_all_logged(self, client):
        from plmrec.tracking.runs import open_run

        with open_run(client, "plmrec-train", name="t") as run:
            run.log_params({f"p{number:03d}": number for number in range(230)})
        assert len(client.get_run(run.run_id).data.params) == 230

    def test_a_nested_run_is_finished_and_found_beneath_its_parent(self, client):
        from plmrec.tracking.runs import open_run

        with open_run(client, "plmrec-train", name="t") as run:
            child = run.child(
                "ease 3",
                params={"ease": {"l2": 300.0}},
                metrics={"ndcg@10": 0.25, "mrr": math.nan},
                tags={"part": "ease", "empty": ""},
            )
        (found,) = client.search_runs(
            [run.experiment_id], f"tags.`mlflow.parentRunId` = '{run.run_id}'"
        )
        assert (found.info.run_id, found.info.run_name) == (child, "ease 3")
        assert found.info.status == "FINISHED"
        assert found.data.params == {"ease.l2": "300.0"}
        assert found.data.metrics == {"ndcg_at_10": 0.25}
        assert found.data.tags["part"] == "ease"
        assert "empty" not in found.data.tags


class TestFolderModel:
    def test_a_logged_folder_answers_through_its_alias_and_comes_back_byte_for_byte(
        self, client, mlflow_uri, interface, tmp_path
    ):
        import mlflow
        import pandas as pd

        from plmrec.stores.state_folder import digest_state, write_state
        from plmrec.tracking.folder_model import fetch_folder, log_folder
        from plmrec.tracking.registry import Registry
        from plmrec.tracking.runs import open_run

        digest = write_state(tmp_path / "state", {"w": np.eye(3)}, {"name": "echo"})
        registry = Registry(client, "plmrec")
        registry.ensure("releases")
        with open_run(client, "plmrec-train", name="t", artifact_root=tmp_path.as_uri()) as run:
            logged = log_folder(
                run,
                tmp_path / "state",
                name="recommender",
                interface=interface,
                params={"a": 1},
                tags={"t": "1", "empty": ""},
            )
            run.log_metrics({"ndcg@10": 0.5}, model_id=logged.model_id)
            version = registry.add(
                source=logged.source, run_id=run.run_id, model_id=logged.model_id, tags={}
            )
        registry.set_alias("champion", version)

        files = [path.name for path in (tmp_path / "plmrec-train").rglob("*") if path.is_file()]
        assert "state.safetensors" in files
        assert not [name for name in files if name.endswith((".pkl", ".pickle", ".joblib"))]

        fetch_folder(client, registry.version(version).source, tmp_path / "fetched")
        assert digest_state(tmp_path / "fetched") == digest

        mlflow.set_tracking_uri(mlflow_uri)
        mlflow.set_registry_uri(mlflow_uri)
        model = mlflow.pyfunc.load_model("models:/plmrec@champion")
        answer = model.predict(pd.DataFrame({"history": [["x"], []]}), params={"k": 2})
        assert answer["items"].tolist() == [["echo", "x"], ["echo"]]
        assert client.get_logged_model(logged.model_id).metrics[0].value == 0.5


class TestRegistry:
    def test_a_model_nobody_registered_has_no_versions_and_no_aliases(self, client):
        from plmrec.tracking.registry import Registry

        registry = Registry(client, "plmrec")
        assert registry.versions() == {}
        assert registry.aliases() == {}

    def test_a_missing_version_is_a_data_error(self, client):
        from plmrec.tracking.registry import Registry

        with pytest.raises(DataContractError, match="version 4"):
            Registry(client, "plmrec").version(4)

    def test_registering_a_model_twice_is_no_error(self, client):
        from plmrec.tracking.registry import Registry

        Registry(client, "plmrec").ensure("releases")
        Registry(client, "plmrec").ensure("releases")


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:9",
        "postgresql+psycopg2://nobody@127.0.0.1:9/mlflow",
    ],
)
def test_a_store_that_does_not_answer_is_reported_within_seconds(uri):
    from plmrec.tracking.connection import connect

    start = time.monotonic()
    with pytest.raises(ServiceUnavailableError, match="no answer"):
        connect(uri)
    assert time.monotonic() - start < 10
