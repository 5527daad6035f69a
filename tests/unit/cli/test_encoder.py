"""What the commands on encoders say to people."""

from __future__ import annotations

import contextlib
import json

import pytest
import yaml
from typer.testing import CliRunner

from plmrec.app import encoder_upgrade, encoder_vectors
from plmrec.app import pretrain as pretrain_app
from plmrec.cli import encoder, pretrain  # noqa: F401 - they add their commands
from plmrec.cli.main import app
from plmrec.errors import ParamsError
from plmrec.platform import services

PLAN = {
    "encoder": "new", "fingerprint": "f" * 32, "dim": 384, "from_encoder": "old",
    "from_fingerprint": "e" * 32, "items": 1679, "passages": 3422, "sampled": 128,
    "seconds_per_passage": 0.0101, "seconds": 34.56, "load_s": 1.0, "vector_bytes": 7_835_136,
}  # fmt: skip
TRAINED = {
    "encoder": "tiny-v1", "folder": "/ws/encoders/tiny-v1", "is_new": True, "adopted": True,
    "objective": "masked", "steps": 5, "loss_before": 3.25, "loss_after": None,
    "mlflow": {"version": 4},
    "params": {"encoder": {"backend": "transformer", "options": {"model": "/ws/encoders/tiny-v1"}}},
    "changes": [
        {"measure": "likes", "n": 9, "before": 0.1, "after": 0.2, "difference": 0.1, "low": 0.05,
         "high": 0.15, "p_value": None},
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_services(monkeypatch) -> None:
    monkeypatch.setattr(services, "needed", lambda _settings: contextlib.nullcontext())


def run(*words: str):
    return CliRunner().invoke(app, list(words))


def test_a_plan_says_passages_seconds_and_bytes(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(encoder_upgrade, "plan_upgrade", lambda *words: asked.append(words) or PLAN)
    done = run("encoder", "upgrade", "7", "--plan", "--option", "pooling=cls", "--option", "n=3")
    assert asked == [("7", {"pooling": "cls", "n": 3})]
    lines = dict(line.split(maxsplit=1) for line in done.output.splitlines())
    assert lines["to"] == "new ffffffffffff, 384 numbers"
    assert lines["passages"] == "3,422"
    assert lines["time"].startswith("about 35 s in one process, 10.1 ms a passage")
    assert lines["vectors"].startswith("7.8 MB")
    as_json = run("encoder", "upgrade", "7", "--plan", "--json")
    assert json.loads(as_json.output) == PLAN


def test_an_option_without_a_value_is_refused() -> None:
    done = run("encoder", "upgrade", "7", "--option", "pooling")
    assert isinstance(done.exception, ParamsError)
    assert "expected --option KEY=VALUE, got 'pooling'" in str(done.exception)


@pytest.mark.parametrize("adopted", [True, False])
def test_a_training_says_what_it_is_worth_and_what_to_do(monkeypatch, adopted) -> None:
    result = TRAINED | {"adopted": adopted}
    monkeypatch.setattr(pretrain_app, "pretrain", lambda **_: result)
    done = run("pretrain")
    assert "0.0500 to 0.1500" in done.output
    assert "loss_before=3.2500  loss_after=None" in done.output
    _, _, section = done.output.partition("into params.yaml:\n")
    if adopted:
        assert "plmrec encoder upgrade 4 --plan" in done.output
        assert yaml.safe_load(section) == result["params"]
    else:
        assert "Not better: keep `encoder` in params.yaml as it is" in done.output


def test_the_list_has_a_line_for_each_encoder(monkeypatch) -> None:
    rows = [
        {"fingerprint": "a" * 32, "name": "one", "use": ["current", "live"], "items": 3,
         "passages": 9, "bytes": 1234, "written": "2026-11-24T22:58:01+00:00", "versions": [1]},
        {"fingerprint": "b" * 32, "name": "two", "use": [], "versions": [2, 3]},
    ]  # fmt: skip
    monkeypatch.setattr(encoder_vectors, "list_encoders", lambda: rows)
    lines = [" ".join(line.split()) for line in run("encoder", "list").output.splitlines()]
    assert "aaaaaaaaaaaa one current, live 9 1.2 kB 2026-11-24 1" in lines
    assert "bbbbbbbbbbbb two 0 0 B 2, 3" in lines
