"""Another encoder takes over: its cost, the gates on the way, what a kill leaves, what may go."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from plmrec.app.context import database_url, open_context
from plmrec.app.embed import load_encoder
from plmrec.app.encoder_upgrade import plan_upgrade, upgrade
from plmrec.app.encoder_vectors import drop_vectors, list_encoders
from plmrec.app.encoders import embed_beside
from plmrec.app.evaluate import promote
from plmrec.app.explore import search
from plmrec.app.refresh import refresh, rollback, show_live
from plmrec.app.releases import list_releases
from plmrec.errors import BackendUnavailableError, GateError, ParamsError
from plmrec.params import EncoderParams, Params
from plmrec.stages import refresh as refresh_stage
from plmrec.stores.database import open_database
from plmrec.stores.generations import live_pointer

pytestmark = pytest.mark.integration

OTHER = {"dim": 64, "n_gram": 1}
THIRD = {"dim": 32, "n_gram": 1}


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture
def params(untuned) -> Params:
    policy = {"min_gain": -1.0, "max_slice_loss": 1.0, "must_beat": []}
    return Params.model_validate(untuned.model_dump() | {"policy": policy})


@pytest.fixture
def where(service_settings, embedded_tiny, params):
    """Keyword arguments of every app function, with a promoted release and a live generation."""
    from plmrec.app.evaluate import evaluate
    from plmrec.app.train import train

    shutil.copytree(embedded_tiny, service_settings.workspace)
    found = {"settings": service_settings, "params": params}
    train(**found)
    evaluate(**found)
    refresh(**found)
    return found


def with_options(where, options):
    encoder = EncoderParams(backend="hashing", options=options)
    return {**where, "params": where["params"].model_copy(update={"encoder": encoder})}


def fingerprint(where, options=None) -> str:
    return load_encoder(open_context(**with_options(where, options or {}))).fingerprint


def state_of(where) -> dict:
    """Everything an upgrade may move, by name."""
    context = open_context(**where)
    with open_database(database_url(context)) as pool:
        live = live_pointer(pool)
    champion = next(each for each in list_releases(**where) if each["state"] == "champion")
    return {
        "live": live.generation.encoder_fingerprint,
        "current": context.workspace.read_json("embeddings", "current.json")["fingerprint"],
        "champion": champion["encoder_fingerprint"],
    }


def all_of(name: str) -> dict:
    return dict.fromkeys(("live", "current", "champion"), name)


class TestPlan:
    def test_it_says_passages_seconds_and_bytes_and_embeds_nothing(self, where):
        plan = plan_upgrade("hashing", OTHER, **where)
        assert (plan["items"], plan["dim"]) == (30, 64)
        assert plan["passages"] >= 60  # a header and a description each
        assert plan["vector_bytes"] == (plan["items"] + plan["passages"]) * 64 * 4
        assert plan["seconds"] == pytest.approx(plan["passages"] * plan["seconds_per_passage"])
        assert plan["fingerprint"] == fingerprint(where, OTHER)
        assert not (Path(where["settings"].workspace) / "embeddings" / plan["fingerprint"]).exists()
        assert state_of(where) == all_of(fingerprint(where))

    def test_what_has_vectors_already_costs_nothing(self, where):
        embed_beside(open_context(**with_options(where, OTHER)))
        plan = plan_upgrade("hashing", OTHER, **where)
        assert (plan["items"], plan["passages"], plan["vector_bytes"]) == (0, 0, 0)

    def test_an_encoder_that_is_not_here_is_an_error(self, where):
        with pytest.raises(BackendUnavailableError):
            plan_upgrade("package:no_such_encoder", **where)
        with pytest.raises(ParamsError, match=r"expected a version of plmrec-encoder, got 99"):
            plan_upgrade("99", **where)


class TestUpgrade:
    def test_the_new_encoder_answers_and_a_rollback_brings_the_old_one_back(self, where):
        old, new = fingerprint(where), fingerprint(where, OTHER)
        result = upgrade("hashing", OTHER, **where)
        assert state_of(where) == all_of(new)
        assert result["fingerprint"] == new
        assert result["recall_at_10"] >= 0.95
        section = EncoderParams.model_validate(result["params"]["encoder"])
        after = {**where, "params": where["params"].model_copy(update={"encoder": section})}
        assert search("bread", 3, **after)
        with pytest.raises(ParamsError, match="expected the encoder of live generation"):
            search("bread", 3, **where)
        rollback(**where)
        assert state_of(where)["live"] == state_of(where)["champion"] == old
        assert search("bread", 3, **where)

    def test_a_registered_version_can_be_named_by_its_number(self, where):
        upgrade("hashing", OTHER, **where)
        back = upgrade("1", **{**where, **with_options(where, OTHER)})
        assert back["fingerprint"] == fingerprint(where)

    def test_upgrading_twice_computes_nothing_new(self, where):
        first = upgrade("hashing", OTHER, **where)
        told = []
        again = upgrade("hashing", OTHER, **where, on_stage=lambda stage: told_to(told, stage))
        assert (again["release"], again["generation"]) == (first["release"], first["generation"])
        assert max(total for _, _, total in told) <= 1

    @pytest.mark.parametrize("stage", ["embed beside the live vectors", "refresh"])
    def test_a_killed_upgrade_leaves_what_answers_and_is_finished_by_the_next(self, where, stage):
        def die(now: str):
            def progress(done: int, _total: int) -> None:
                if now == stage and done == 1:
                    raise Killed

            return progress

        old, new = fingerprint(where), fingerprint(where, OTHER)
        with pytest.raises(Killed):
            upgrade("hashing", OTHER, **where, on_stage=die)
        assert state_of(where)["live"] == old
        assert search("bread", 3, **where)
        told = []
        upgrade("hashing", OTHER, **where, on_stage=lambda stage: told_to(told, stage))
        assert state_of(where) == all_of(new)
        shards = {total for name, _, total in told if name.startswith("embed beside")}
        assert shards == ({1} if stage.startswith("embed") else {0})  # of two

    def test_a_challenger_that_is_not_good_enough_changes_nothing(self, where):
        policy = where["params"].policy.model_copy(update={"min_gain": 0.9})
        strict = {**where, "params": where["params"].model_copy(update={"policy": policy})}
        with pytest.raises(GateError, match="to become champion, it is not: "):
            upgrade("hashing", OTHER, **strict)
        assert state_of(where) == all_of(fingerprint(where))

    def test_what_a_kill_without_warning_left_is_put_right_by_the_next(self, where):
        workspace = open_context(**where).workspace
        before = workspace.read_json("embeddings", "current.json")
        workspace.write_json({"current.json": before}, "state", "encoder_upgrade.json")
        moved = before | {"fingerprint": fingerprint(where, OTHER)}
        workspace.write_json(moved, "embeddings", "current.json")
        policy = where["params"].policy.model_copy(update={"min_gain": 0.9})
        strict = {**where, "params": where["params"].model_copy(update={"policy": policy})}
        with pytest.raises(GateError):
            upgrade("hashing", OTHER, **strict)
        assert state_of(where) == all_of(fingerprint(where))
        assert not workspace.exists("state", "encoder_upgrade.json")

    def test_a_recall_that_is_too_low_changes_nothing(self, where, monkeypatch):
        monkeypatch.setattr(refresh_stage, "measure_recall", lambda *_, **__: 0.2)
        with pytest.raises(GateError, match="recall"):
            upgrade("hashing", OTHER, **where)
        assert state_of(where) == all_of(fingerprint(where))
        assert search("bread", 3, **where)

    def test_a_person_who_must_agree_is_waited_for(self, where):
        policy = where["params"].policy.model_copy(update={"approval": "human"})
        asked = {**where, "params": where["params"].model_copy(update={"policy": policy})}
        with pytest.raises(GateError, match=r"waits for a person.*plmrec promote 2"):
            upgrade("hashing", OTHER, **asked)
        assert state_of(where) == all_of(fingerprint(where))
        promote(2, **asked)
        upgrade("hashing", OTHER, **asked)
        assert state_of(where) == all_of(fingerprint(where, OTHER))


class TestVectorsHere:
    def test_the_list_says_what_each_encoder_is_needed_for(self, where):
        old, new, third = (fingerprint(where, each) for each in ({}, OTHER, THIRD))
        upgrade("hashing", OTHER, **where)
        embed_beside(open_context(**with_options(where, THIRD)))
        found = {each["fingerprint"]: each for each in list_encoders(**where)}
        assert found[new]["use"] == ["current", "live", "champion"]
        assert found[old]["use"] == ["previous"]
        assert found[third]["use"] == []
        assert (found[new]["name"], found[new]["versions"]) == ("hashing-64", [2])
        assert found[old]["items"] == 30
        assert found[old]["passages"] >= 60
        assert found[old]["bytes"] > 30 * 256 * 4
        assert found[old]["written"].startswith("20")

    def test_what_is_live_or_kept_for_a_rollback_cannot_be_dropped(self, where):
        old, new = fingerprint(where), fingerprint(where, OTHER)
        upgrade("hashing", OTHER, **where)
        with pytest.raises(GateError, match="which is current, live"):
            drop_vectors(new, **where)
        with pytest.raises(GateError, match="which is previous"):
            drop_vectors(old[:8], **where)
        rollback(**where)
        with pytest.raises(GateError, match="live"):
            drop_vectors(old, **where)

    def test_what_nothing_needs_can_be_dropped_and_only_that(self, where):
        third = fingerprint(where, THIRD)
        embed_beside(open_context(**with_options(where, THIRD)))
        done = drop_vectors(third[:10], **where)
        assert done["fingerprint"] == third
        assert done["bytes"] > 0
        assert third not in {each["fingerprint"] for each in list_encoders(**where)}
        assert search("bread", 3, **where)
        assert show_live(**where)["encoder_fingerprint"] == fingerprint(where)

    def test_a_word_that_means_no_encoder_is_refused(self, where):
        for word in ("", "zzzzzzzz", fingerprint(where)[:5]):
            with pytest.raises(ParamsError, match="expected the fingerprint of one encoder"):
                drop_vectors(word, **where)


def told_to(told: list, stage: str):
    return lambda done, total: told.append((stage, done, total))
