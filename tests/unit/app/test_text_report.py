"""``plmrec report text``: a page that says what the texts are like, and leaks nothing."""

from __future__ import annotations

import pytest

from plmrec.app.text_report import text_report
from plmrec.errors import MissingStageError
from tests.unit.app.test_understand import PARAMS, make_items, run, write


def report(settings, **more):
    return text_report(settings=settings, params=PARAMS, **more)


def ids(rows):
    return [row["item_id"] for row in rows]


@pytest.fixture
def found(tmp_settings, tmp_path):
    items = make_items(12)
    items[0] |= {"description": "", "said": [], "title": "Bare <b>title</b>"}
    items[1] |= {"description": "la la " * 400}
    items[2] |= {"description": "Ask ann@example.org about the whales of the wide ocean."}
    items[3] |= {
        "description": "Ein stiller Film über eine Familie, die am Meer lebt.",
        "said": [],
        "language": "en",
    }
    write(tmp_settings, items, ["Wonderful!"])
    run(tmp_settings)
    found = report(tmp_settings, output=tmp_path / "deep" / "page.html")
    return found, (tmp_path / "deep" / "page.html").read_text(encoding="utf-8")


def test_counts_say_how_many_items_have_what(found):
    counts = found[0]["counts"]
    assert counts["items"] == 12
    assert counts["with text beside title and names"] == 11
    assert counts["with comments"] == 1
    assert counts["whose language is not the one the dataset gives"] == 1
    assert sum(found[0]["distributions"]["Words of an item, title and names aside"].values()) == 12


def test_extremes_are_found(found):
    odd = found[0]["odd"]
    assert ids(odd["Emptiest"])[0] == "i000"
    assert ids(odd["Most repetitive"])[0] == "i001"
    assert ids(odd["Of another language than the dataset gives"]) == ["i003"]


def test_the_page_counts_personal_data_and_shows_none(found):
    assert found[0]["masked"] == {"email": 1}
    assert "ann@example.org" not in found[1]
    assert "email" in found[1]


def test_texts_are_escaped_and_nothing_is_loaded_from_outside(found):
    assert "<b>title</b>" not in found[1]
    assert "&lt;b&gt;title" in found[1]
    assert "http" not in found[1]
    assert "<script" not in found[1]


def test_the_page_lies_in_the_workspace_unless_asked_for_elsewhere(tmp_settings):
    write(tmp_settings, make_items(3))
    run(tmp_settings)
    assert report(tmp_settings)["page"].endswith("workspace/reports/text.html")


def test_an_empty_workspace_has_a_page_too(tmp_settings):
    write(tmp_settings, [])
    run(tmp_settings)
    assert report(tmp_settings)["items"] == 0


def test_before_understand_the_next_step_is_said(tmp_settings):
    write(tmp_settings, make_items(3))
    with pytest.raises(MissingStageError, match="plmrec understand"):
        report(tmp_settings)
