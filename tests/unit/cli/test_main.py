"""The border of the command line: one line for each failure, and shared options anywhere."""

from __future__ import annotations

import os

import pytest

from plmrec.cli import main as command_line
from plmrec.errors import DataContractError, ServiceUnavailableError


def run(monkeypatch, *arguments, raises=None):
    """Run main() with an app that only fails; return what the app was called with and the exit."""
    called = []

    def app(words):
        called.extend(words)
        if raises is not None:
            raise raises

    monkeypatch.setattr(command_line, "app", app)
    monkeypatch.setattr(command_line, "_COMMANDS", ())
    monkeypatch.setattr("sys.argv", ["plmrec", *arguments])
    try:
        command_line.main()
    except SystemExit as end:
        return called, end.code
    return called, 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataContractError("items.csv:3: expected\na title"), 2),
        (ServiceUnavailableError("database: no answer"), 75),
        (ValueError("a defect\nof plmrec"), 70),
    ],
)
def test_a_failure_is_one_line_and_its_exit_code_says_whether_to_retry(
    monkeypatch, capsys, error, code
):
    assert run(monkeypatch, raises=error)[1] == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("plmrec: ")


def test_a_defect_shows_its_traceback_when_asked(monkeypatch):
    with pytest.raises(ValueError, match="a defect"):
        run(monkeypatch, "--verbose", raises=ValueError("a defect"))


def test_shared_options_may_stand_behind_the_command(monkeypatch):
    called, _ = run(monkeypatch, "embed", "--json", "--workspace", "w", "--verbose")
    assert called == ["--workspace", "w", "--verbose", "embed", "--json"]


def test_words_after_two_dashes_are_left_alone(monkeypatch):
    called, _ = run(monkeypatch, "search", "--", "--verbose")
    assert called == ["search", "--", "--verbose"]


def test_idle_threads_of_numeric_libraries_do_not_spin(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    run(monkeypatch)
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
