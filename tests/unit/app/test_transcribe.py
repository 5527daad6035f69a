from __future__ import annotations

import pytest

from plmrec.app import transcribe as app
from plmrec.errors import BackendUnavailableError, MissingStageError
from plmrec.params import Params, SpeechParams
from plmrec.stores.workspace import Workspace
from tests.support.catalogue import N_SHARDS, write_items
from tests.support.media import tone, wav

ITEMS = [{"item_id": f"i{number}", "media": f"{number % 3}.wav"} for number in range(8)]
FILES = {"0.wav": wav(tone(1)), "1.wav": wav(tone(6)), "2.wav": b""}


@pytest.fixture
def where(tmp_settings):
    """Keyword arguments of the app's functions, for a workspace with items."""
    write_items(Workspace(tmp_settings.workspace), ITEMS, files=FILES)
    params = Params(shards=N_SHARDS, speech=SpeechParams(backend="scripted"))
    return {"settings": tmp_settings, "params": params}


def with_speech(where, **speech):
    return where | {"params": where["params"].model_copy(update={"speech": SpeechParams(**speech)})}


def test_the_report_adds_up_and_says_what_was_found(where):
    report = app.transcribe(**where)
    assert (report["in"], report["out"], report["quarantined"]) == (8, 6, 2)
    assert (report["computed"], report["reused"]) == (8, 0)
    assert report["statuses"] == {"refused": 2, "speech": 6}
    assert report["media_s"] == pytest.approx(3 * 1 + 3 * 6)
    assert Workspace(where["settings"].workspace).read_json("reports", "transcribe.json") == report


def test_shards_one_by_one_give_the_digest_of_one_run(where, tmp_path):
    other = where["settings"].model_copy(update={"workspace": str(tmp_path / "other")})
    write_items(Workspace(other.workspace), ITEMS, files=FILES)
    whole = app.transcribe(settings=other, params=where["params"])
    shards = app.pending_shards(**where)
    assert shards == ["part-000", "part-001"]
    report = app.finish_transcribe(
        [app.transcribe_shard(shard, **where) for shard in reversed(shards)], **where
    )
    assert report["digest"] == whole["digest"]
    assert report["in"] == 8


def test_finish_counts_shards_without_a_report_as_reused(where):
    app.transcribe(**where)
    assert app.pending_shards(**where) == []
    report = app.finish_transcribe([], **where)
    assert (report["in"], report["computed"], report["reused"]) == (8, 0, 8)
    assert report["quarantined"] == 2
    assert report["statuses"] == {"refused": 2, "speech": 6}


def test_finish_refuses_while_a_shard_is_not_done(where):
    done = app.transcribe_shard("part-000", **where)
    with pytest.raises(MissingStageError, match="part-001"):
        app.finish_transcribe([done], **where)


def test_only_shards_with_changes_are_pending(where):
    app.transcribe(**where)
    changed = [{**ITEMS[0], "media": "1.wav"}, *ITEMS[1:]]
    write_items(Workspace(where["settings"].workspace), changed)
    assert len(app.pending_shards(**where)) == 1
    assert app.transcribe(**where)["computed"] == 1


def test_progress_runs_from_nothing_to_all(where):
    seen = []
    app.transcribe(**where, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 8) for number in range(9)]
    seen.clear()
    app.transcribe(**where, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 0)]


def test_without_items_it_says_which_stage_to_run(tmp_settings):
    params = Params(speech=SpeechParams(backend="scripted"))
    with pytest.raises(MissingStageError, match="Run plmrec validate first"):
        app.transcribe(settings=tmp_settings, params=params)


def test_no_items_are_no_error(tmp_settings):
    write_items(Workspace(tmp_settings.workspace), [])
    params = Params(shards=N_SHARDS, speech=SpeechParams(backend="scripted"))
    report = app.transcribe(settings=tmp_settings, params=params)
    assert (report["in"], report["out"], report["statuses"]) == (0, 0, {})


def test_weights_that_cannot_be_had_matter_only_to_items_with_media(where, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    broken = with_speech(where, backend="whisper", options={"model": "none/none"})
    with pytest.raises(BackendUnavailableError):
        app.transcribe(**broken)
    write_items(Workspace(where["settings"].workspace), [{"item_id": "e"}])
    assert app.transcribe(**broken)["statuses"] == {"none": 1}


def test_how_a_recogniser_runs_recomputes_nothing_but_what_it_says_does(where):
    app.transcribe(**where)
    slower = with_speech(where, backend="scripted", options={"delay_s": 0.001})
    assert app.pending_shards(**slower) == []
    other = with_speech(where, backend="scripted", options={"segment_s": 2.0})
    assert len(app.pending_shards(**other)) == 2
    shorter = with_speech(where, backend="scripted", max_duration_s=3.0)
    assert app.transcribe(**shorter)["statuses"] == {"refused": 5, "speech": 3}
