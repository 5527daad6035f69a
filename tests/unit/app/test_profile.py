from __future__ import annotations

import json
import sys

import pytest

from plmrec.app.models import fit_model, interests, load_workspace
from plmrec.app.profile import profile
from plmrec.cli import main as command_line
from plmrec.errors import ParamsError
from plmrec.params import Params
from tests.support.tagged import write_tagged

ALIKE = Params.model_validate(
    {
        "training": {
            "options": {
                "parts": {
                    "mine": {
                        "backend": "interest_profile",
                        "options": {"decay_items": None, "dislike_weight": 0.5},
                    }
                }
            }
        }
    }
)


@pytest.fixture
def settings(tmp_settings, monkeypatch):
    write_tagged(tmp_settings.workspace)
    monkeypatch.setenv("PLMREC_WORKSPACE", tmp_settings.workspace)
    return tmp_settings


def test_weights_are_shares_of_the_history_for_and_against(settings):
    found = profile("ann", settings=settings, params=ALIKE)
    weights = {tag["tag_id"]: tag["weight"] for tag in found["tags"]}
    # a like each for sea and loaf, half a dislike for pawn: 1, 1 and -0.5 of 2.5
    assert weights == pytest.approx(
        {"genre:whales": 0.4, "curated:baking": 0.4, "mined:chess": -0.2}, abs=1e-6
    )
    assert [tag["tag_id"] for tag in found["tags"]][-1] == "mined:chess"


def test_the_interactions_behind_a_tag_add_up_to_its_weight(settings):
    found = profile("ann", settings=settings)
    for tag in found["tags"]:
        assert sum(each["adds"] for each in tag["because"]) == pytest.approx(tag["weight"])
    baking = next(tag for tag in found["tags"] if tag["tag_id"] == "curated:baking")
    (loaf,) = baking["because"]
    assert (loaf["item_id"], loaf["title"]) == ("loaf", "Loaf")
    said = [(each["event"], each["value"], each["timestamp"][:10]) for each in loaf["events"]]
    assert said == [("view", 30.0, "2026-01-02"), ("like", None, "2026-01-03")]


def test_names_the_taxonomy_the_encoder_and_how_many_items_match(settings):
    found = profile("ann", settings=settings, params=ALIKE)
    assert found["kind"] == "taxonomy"
    assert found["taxonomy"] == {"version": 1, "digest": "7a901"}
    assert found["encoder"]["name"] == "test"
    # u = (0.4 + 0.2, 0.4): nearer than a right angle are sea, song and loaf
    assert (found["n_matching"], found["n_items"]) == (3, 5)


def test_without_a_taxonomy_genres_are_the_tags(tmp_settings):
    write_tagged(tmp_settings.workspace, with_tags=False)
    found = profile("ann", settings=tmp_settings)
    assert (found["kind"], found["taxonomy"]) == ("genres", None)
    assert [tag["name"] for tag in found["tags"]] == ["nature"]


def test_praise_counts_for_an_item_and_blame_against_it(settings):
    found = profile("bob", settings=settings, params=ALIKE)
    weights = {tag["tag_id"]: tag["weight"] for tag in found["tags"]}
    assert weights["mined:chess"] > weights["curated:baking"] > 0  # praise; neither
    assert weights["genre:whales"] < 0


def test_comments_are_shown_with_their_sentiment_and_without_personal_data(settings):
    tags = profile("bob", settings=settings)["tags"]
    events = {each["item_id"]: each["events"][0] for tag in tags for each in tag["because"]}
    assert events["pawn"]["sentiment"] > 0.5
    assert events["sea"]["sentiment"] < -0.3
    assert (events["loaf"]["sentiment"], events["loaf"]["text"]) == (None, "Part two, [email]")


def test_a_user_who_was_only_shown_items_has_no_interests_yet(settings):
    found = profile("eve", settings=settings)
    assert (found["tags"], found["n_matching"]) == ([], 0)


def test_an_unknown_user_is_named(settings):
    with pytest.raises(ParamsError, match="found none of 'Ann'"):
        profile("Ann", settings=settings)


def test_three_lines_of_python_give_the_same_weights(settings):
    data = load_workspace(settings.workspace, params=ALIKE)
    model = fit_model("interest_profile", data, decay_items=None, dislike_weight=0.5)
    found = interests(model, data, "ann")
    assert found == pytest.approx({"Whales": 0.4, "Baking": 0.4, "Chess openings": -0.2}, abs=1e-6)


def test_the_command_prints_a_table_and_json(settings, monkeypatch, capsys):
    assert run(monkeypatch, "profile", "ann") == 0
    said = capsys.readouterr().out
    assert "taxonomy version 1, encoder test f1d0f1d0f1d0" in said
    assert "“Loaf” view 30 2026-01-02, like 2026-01-03" in " ".join(said.split())
    assert run(monkeypatch, "profile", "ann", "--json") == 0
    assert json.loads(capsys.readouterr().out)["user_id"] == "ann"


def test_the_command_says_in_one_line_that_a_user_is_unknown(settings, monkeypatch, capsys):
    assert run(monkeypatch, "profile", "nobody") == command_line.EXIT_PERMANENT
    assert capsys.readouterr().err.count("\n") == 1


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["plmrec", *words])
    monkeypatch.setattr(command_line, "_COMMANDS", ("profile",))
    with pytest.raises(SystemExit) as end:
        command_line.main()
    return int(end.value.code or 0)
