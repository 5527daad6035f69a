"""A corpus of bad texts passes the chain up to meanings: with sensible rows, or in quarantine."""

from __future__ import annotations

import json

import pytest

from plmrec.app.context import open_context
from plmrec.app.embed import embed, encoder_fingerprint
from plmrec.app.text_report import text_report
from plmrec.app.transcribe import transcribe
from plmrec.app.understand import understand
from plmrec.app.validate import validate
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stores import tables
from plmrec.stores.quarantine import Quarantine
from plmrec.stores.workspace import Workspace
from tests.support.raw_datasets import item, write_dataset

pytestmark = pytest.mark.integration

PARAMS = Params.model_validate(
    {
        "shards": 2,
        "speech": {"backend": "scripted"},
        "encoder": {"backend": "hashing", "options": {"dim": 64}},
        "validation": {"max_text_chars": 20_000_000, "max_quarantined_share": 1.0},
    }
)
BACKWARDS = """WEBVTT

00:00:05.000 --> 00:00:02.000
This cue ends before it begins.

-00:00:04.000 --> 00:00:06.000
This one begins before the film does.

00:00:07.000 --> 00:00:09.000
And this one is fine, about whales in the ocean.
"""
ITEMS = [
    item("empty", title="-", description=""),
    item("huge", description="A sentence about the sea and its whales. " * 250_000),
    item("one_word", description="spam " * 20_000),
    item("mixed", description="Привет world, 東京物語 и مرحبا بالعالم हिन्दी more words"),
    item("emoji", title="🎉", description="😀😀🎬🎉" * 50),
    item("mails", title="a@b.org", description="Write to ann@example.org or bob@x.co.uk. " * 300),
    item("backwards", subtitles="media/backwards.vtt"),
    item("plain", description="A quiet film about a family that bakes bread."),
]


@pytest.fixture(scope="module")
def understood(tmp_path_factory):
    folder = tmp_path_factory.mktemp("poisoned")
    source = write_dataset(folder / "dataset", ITEMS, ["u1,plain,like,1,2025-01-01T00:00:00Z"])
    (source / "media" / "backwards.vtt").write_text(BACKWARDS)
    settings = Settings(workspace=str(folder / "workspace"))
    validate(str(source), settings=settings, params=PARAMS)
    for stage in (transcribe, embed, understand):
        stage(settings=settings, params=PARAMS)
    context = open_context(settings, PARAMS)
    table = tables.meanings_table(context.workspace, 2, encoder_fingerprint(context))
    return settings, {row["item_id"]: row for row in table.rows()}


def test_every_item_is_understood_or_in_quarantine_with_a_reason(understood):
    settings, rows = understood
    refused = {
        row["key"]: row["reason"] for row in Quarantine(Workspace(settings.workspace)).list()
    }
    assert set(rows) | set(refused) == {each["item_id"] for each in ITEMS}
    assert set(rows) >= {"huge", "one_word", "mixed", "emoji", "mails", "backwards", "plain"}


def test_rows_are_sensible(understood):
    _, rows = understood
    assert rows["plain"]["language"] == rows["huge"]["language"] == "en"
    assert rows["emoji"]["language"] is None
    assert rows["emoji"]["keywords"] == []
    assert rows["huge"]["summary"] == "A sentence about the sea and its whales."
    assert {keyword["text"] for keyword in rows["one_word"]["keywords"]} <= {"spam", "spam spam"}
    assert rows["huge"]["keywords"]
    assert len(rows["one_word"]["summary"]) <= 600
    assert "whales in the ocean" in rows["backwards"]["summary"]


def test_no_mail_address_is_left_and_all_are_counted(understood):
    settings, rows = understood
    assert json.loads(rows["mails"]["masked"]) == {"email": 601}
    text = repr(list(tables.documents_table(Workspace(settings.workspace), 2).rows()))
    assert "example.org" not in text
    assert "b.org" not in text


def test_the_report_shows_them(understood, tmp_path):
    settings, _ = understood
    found = text_report(output=tmp_path / "report.html", settings=settings, params=PARAMS)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert found["items"] >= 7
    assert "example.org" not in page
    assert "email" in page
