"""Logs: the last lines, and what is written next."""

from __future__ import annotations

from itertools import islice

import pytest

from plmrec.errors import ParamsError
from plmrec.platform import logs
from plmrec.platform.folder import PlatformFolder


@pytest.fixture
def folder(tmp_settings):
    folder = PlatformFolder(tmp_settings).make("logs")
    (folder / "mlflow.log").write_text("one\ntwo\nthree\n")
    (folder / "postgres.log").write_text("ready\n")
    return folder


def test_the_last_lines_of_one_service(folder, tmp_settings):
    assert list(logs.read(tmp_settings, "mlflow", lines=2)) == ["two", "three"]


def test_all_services_with_their_names(folder, tmp_settings):
    assert list(logs.read(tmp_settings, lines=1)) == ["mlflow | three", "postgres | ready"]


def test_following_shows_whole_lines_that_come_next(folder, tmp_settings):
    lines = logs.read(tmp_settings, "mlflow", lines=1, follow=True)
    assert next(lines) == "three"
    with (folder / "mlflow.log").open("a") as file:
        file.write("four\nfive\nhalf")
    assert list(islice(lines, 2)) == ["four", "five"]


def test_an_unknown_service_names_the_known_ones(folder, tmp_settings):
    with pytest.raises(ParamsError, match="mlflow, postgres"):
        list(logs.read(tmp_settings, "redis"))
