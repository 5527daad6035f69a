"""``plmrec bench quality``: from a folder to tables, a page, and runs in MLflow."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from plmrec.app.bench_quality import Plan, bench_quality, make_plan
from plmrec.app.context import open_context, tracking_uri
from plmrec.errors import DataContractError, ParamsError, ServiceUnavailableError
from plmrec.params import Params
from tests.support.tiny import WEIGHTLESS_PARAMS, write_tiny_dataset

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = write_tiny_dataset(tmp_path_factory.mktemp("tiny") / "dataset")
    rows = [f"u{n},{'fm'[n % 2]},{20 + n % 5}" for n in range(40)]
    (folder / "users.csv").write_text("\n".join(["user_id,sex,age", *rows]) + "\n")
    return folder


@pytest.fixture(scope="module")
def params() -> Params:
    import yaml

    values = yaml.safe_load(WEIGHTLESS_PARAMS)
    values["training"] = {
        "trials": 2,
        "options": {"parts": {name: {"backend": name} for name in ("popularity", "content")}},
    }
    values["evaluation"] = {"resamples": 100}
    return Params.model_validate(values)


def test_models_are_compared_and_kept_in_nested_runs(service_settings, params, dataset, tmp_path):
    from plmrec.tracking.connection import connect

    output, steps = tmp_path / "reports" / "bench.html", []
    plan = Plan(models=["popularity", "ease", "release"], k=5)
    result = bench_quality(
        str(dataset),
        plan,
        output=output,
        settings=service_settings,
        params=params,
        progress=lambda done, total, what: steps.append((done, total, what)),
    )
    json.dumps(result, allow_nan=False)
    names = [model["model"] for model in result["models"]]
    assert names == [
        "popularity", "ease", "release",
        "without vectors", "only texts", "without popularity", "without content",
    ]  # fmt: skip
    assert {model["status"] for model in result["models"]} == {"ok"}
    assert [each["model"] for each in result["comparisons"]] == ["popularity", "ease"]
    assert [each["model"] for each in result["ablation"]] == names[3:]
    assert set(result["models"][1]["gaps"]) == {"age", "sex"}
    assert steps[-1] == (7, 7, "done")

    page = output.read_text()
    assert page.count("<svg") == 3
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)

    client = connect(tracking_uri(open_context(service_settings, params)))
    parent = client.get_run(result["mlflow"]["run_id"])
    children = client.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    )
    assert {run.info.run_name for run in children} == set(names)
    by_name = {run.info.run_name: run.data.metrics for run in children}
    assert by_name["ease"]["ndcg_at_5"] == result["models"][1]["metrics"]["ndcg@5"]
    assert by_name["ease"]["difference"] == result["comparisons"][1]["difference"][0]
    assert parent.data.metrics["ndcg_at_5"] == by_name["release"]["ndcg_at_5"]
    kept = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"bench.html", "bench.json", "plots"} <= kept


def test_a_workspace_that_nobody_named_stays_as_it_is(
    service_settings, params, dataset, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    named = service_settings.model_fields_set - {"workspace"}
    settings = type(service_settings)(**{name: getattr(service_settings, name) for name in named})
    result = bench_quality(
        str(dataset), Plan(models=["popularity"]), settings=settings, params=params
    )
    assert result["reference"] == "popularity"
    assert not list(Path(settings.workspace).glob("dataset*"))


@pytest.mark.parametrize("protocol", ["time", "random", "cold-items", "cold-users"])
def test_every_protocol_says_what_it_leaks(service_settings, params, dataset, protocol):
    plan = make_plan(protocol=protocol, ablation="none", models=["content"], k=5)
    result = bench_quality(str(dataset), plan, settings=service_settings, params=params)
    assert result["protocol"] == protocol
    assert "known" in result["knows"] or "told" in result["knows"]
    assert result["models"][0]["metrics"]["ndcg@5"] > 0
    assert (result["competing"] < result["items"]) == (protocol == "cold-items")


def test_what_cannot_be_compared_is_refused(service_settings, params, dataset):
    where = {"settings": service_settings, "params": params}
    with pytest.raises(ParamsError, match="expected models among"):
        bench_quality(str(dataset), Plan(models=["pop"]), **where)
    with pytest.raises(ParamsError, match="expected models among"):
        make_plan(protocol="last", ablation="none", models=["pop"])
    with pytest.raises(ParamsError, match="expected protocol among"):
        make_plan(protocol="latest", ablation="none")
    with pytest.raises(ParamsError, match="expected ablation among"):
        make_plan(protocol="last", ablation="all")
    with pytest.raises(DataContractError):
        bench_quality(str(dataset / "media"), Plan(models=["ease"]), **where)


def test_nothing_is_begun_when_mlflow_does_not_answer(service_settings, params, dataset):
    settings = service_settings.model_copy(
        update={"mlflow_tracking_uri": "http://127.0.0.1:9"}  # discard: nothing listens there
    )
    with pytest.raises(ServiceUnavailableError):
        bench_quality(str(dataset), Plan(models=["ease"]), settings=settings, params=params)
    assert not Path(settings.workspace).exists()


def test_the_command_prints_tables_or_json(
    service_settings, dataset, tmp_path, monkeypatch, capsys
):
    from plmrec.cli import bench_quality  # noqa: F401 - it adds its command
    from plmrec.cli.main import app

    (tmp_path / "params.yaml").write_text(WEIGHTLESS_PARAMS)
    for name, value in (
        ("WORKSPACE", service_settings.workspace),
        ("DATABASE_URL", service_settings.database_url.get_secret_value()),
        ("MLFLOW_TRACKING_URI", service_settings.mlflow_tracking_uri),
        ("PARAMS", str(tmp_path / "params.yaml")),
    ):
        monkeypatch.setenv(f"PLMREC_{name}", value)
    asked = ["bench", "quality", "--dataset", str(dataset), "--models", "popularity,ease"]
    told = CliRunner().invoke(app, asked, env={"COLUMNS": "80"}, catch_exceptions=False)
    assert told.exit_code == 0
    assert "popularity against each, ndcg@10" in told.output
    assert all(len(line.rstrip()) <= 80 for line in told.output.splitlines())
    found = CliRunner().invoke(app, [*asked, "--json"], catch_exceptions=False)
    assert [m["model"] for m in json.loads(found.stdout)["models"]] == ["popularity", "ease"]
