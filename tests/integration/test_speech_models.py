"""Golden-set results in MLflow, and the gate they hold."""

from __future__ import annotations

import pytest

from plmrec.app import transcribe as app
from plmrec.app.bench_speech import bench_speech
from plmrec.app.context import open_context
from plmrec.app.releases import open_registry
from plmrec.app.speech_models import SPEECH_MODEL
from plmrec.errors import GateError
from plmrec.params import Params, SpeechParams
from plmrec.stores.workspace import Workspace
from tests.support.catalogue import N_SHARDS, write_items
from tests.support.media import tone, wav

pytestmark = pytest.mark.integration


@pytest.fixture
def golden(tmp_path):
    """A golden set on which segments of one second are perfect: a word for each second."""
    (tmp_path / "five.wav").write_bytes(wav(tone(5)))
    (tmp_path / "refs.tsv").write_text(f"file\ttext\nfive.wav\t{'speech ' * 5}\n")
    return tmp_path / "refs.tsv"


@pytest.fixture
def where(service_settings, golden):
    write_items(
        Workspace(service_settings.workspace),
        [{"item_id": "a", "media": "a.wav"}],
        files={"a.wav": wav(tone(2))},
    )

    def _where(**speech):
        speech = SpeechParams(backend="scripted", **{"golden": str(golden), **speech})
        return {
            "settings": service_settings,
            "params": Params(shards=N_SHARDS, speech=speech),
        }

    return _where


def versions(where) -> dict:
    return open_registry(open_context(**where()), SPEECH_MODEL).versions()


def test_a_result_is_a_version_with_its_numbers_and_renewed_when_measured_again(where, golden):
    result = bench_speech(golden, **where(), keep=True)
    assert result["record"]["version"] == 1
    tags = versions(where)[1].tags
    assert (tags["wer"], tags["cer"]) == ("0.0", "0.0")
    assert float(tags["rtf"]) >= 0
    assert tags["recogniser"] == "scripted@1-5s"
    assert tags["refs"] == result["refs_digest"]
    assert bench_speech(golden, **where(), keep=True)["record"]["version"] == 1
    other = where(options={"segment_s": 2.0})
    assert bench_speech(golden, **other, keep=True)["record"]["version"] == 2


def test_the_first_model_is_measured_and_accepted_and_a_worse_one_is_refused(where, monkeypatch):
    assert app.pending_shards(**where()) == ["part-000", "part-001"]
    registry = open_registry(open_context(**where()), SPEECH_MODEL)
    assert registry.aliases() == {"accepted": 1}
    app.transcribe(**where())

    # Louder sound is another word: this one hears all words wrong.
    monkeypatch.setattr("plmrec.speech.scripted._WORDS", ("x",) * 6)
    worse = where(options={"segment_s": 2.0})
    with pytest.raises(GateError, match=r"at most 0\.0200.*got 1\.0000 with version 2"):
        app.pending_shards(**worse)
    with pytest.raises(GateError):
        app.transcribe(**worse)
    assert registry.aliases() == {"accepted": 1}
    allowed = where(options={"segment_s": 2.0}, max_wer_gain=1.0)
    assert app.transcribe(**allowed)["computed"] == 1
    assert registry.aliases() == {"accepted": 2}


def test_without_a_golden_set_no_model_is_looked_up(where):
    without = where(golden=None)
    without["settings"] = without["settings"].model_copy(
        update={"mlflow_tracking_uri": "http://127.0.0.1:9"}
    )
    assert app.transcribe(**without)["computed"] == 1
