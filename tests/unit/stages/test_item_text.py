from __future__ import annotations

import functools
import http.server
import json
import threading

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.errors import DataContractError
from plmrec.params import SpeechParams
from plmrec.speech.base import Spoken, Window
from plmrec.stages.hearers import LocalHearer
from plmrec.stages.item_text import ItemText
from plmrec.stages.media_files import MediaFiles
from plmrec.stages.recognisers import Choice, Recognisers
from plmrec.stages.shard_work import ShardWork
from plmrec.stages.transcript_files import TranscriptFiles
from plmrec.stores.workspace import Workspace
from tests.support.media import bursts, encoded, silent_film, tone, wav

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello.\n"


class Forbidden:
    """A recogniser that must not be asked."""

    name, version, language, sample_rate_hz = "forbidden", "1", "en", 16_000
    window, batch_size, is_isolated = Window(max_s=5.0, hears_all=True), 1, False

    def spoken_language(self, span, said):
        return Spoken(self.language)

    def recognise(self, spans, languages):
        raise AssertionError("the recogniser was asked")


class GivesUp(Forbidden):
    def recognise(self, spans, languages):
        raise DataContractError("recogniser: gave up")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(str(tmp_path / "workspace"))


@pytest.fixture
def find(workspace):
    """Find the text of an item whose files are given as bytes."""

    def _find(recogniser=None, *, max_s=3600.0, language=None, **files):
        item = {"item_id": "x", "kind": "video", "duration_s": None, "language": language}
        item |= {"media": None, "subtitles": None}
        for field, data in files.items():
            item[field] = f"{field}.bin" if isinstance(data, bytes) else data
            if isinstance(data, bytes):
                workspace.write_bytes(data, "dataset", "media", f"{field}.bin")
        recogniser = recogniser or build_backend("speech", "scripted", {})
        params = SpeechParams(backend="scripted", max_duration_s=max_s)
        choice = Choice(number=0, params=params)
        choice.__dict__["first"] = recogniser
        recognisers = Recognisers(params=params, choices=[choice])
        workspace.remove("transcripts")
        work = ShardWork(
            shard="part-000",
            inputs={"x": "1"},
            files=MediaFiles(workspace),
            results=TranscriptFiles(workspace),
            recognisers=recognisers,
            hearer=LocalHearer(workspace, recognisers),
            judge=None,  # nothing here has words enough to be judged
            advance=lambda _: None,
        )
        return work.texts([item])["x"]

    return _find


def reasons(text) -> list[str]:
    return [problem.reason for problem in text.problems]


def test_subtitles_come_first_and_media_are_not_touched(find):
    text = find(Forbidden(), subtitles=SRT, media=b"no media at all")
    assert (text.status, text.backend) == ("subtitles", "subtitles@2")
    assert [segment.text for segment in text.segments] == ["Hello."]
    assert text.problems == ()


@pytest.mark.parametrize("subtitles", [b"", b"just words", b"WEBVTT\n", bytes(3000), "missing.srt"])
def test_unusable_subtitles_fall_through_to_speech_with_a_problem(find, subtitles):
    text = find(subtitles=subtitles, media=wav(tone(3)))
    assert text.status == "speech"
    assert len(text.problems) == 1
    assert reasons(text)[0] in {"subtitles_not_readable", "media_missing"}


def test_speech_is_recognised_and_says_by_what(find):
    text = find(media=wav(tone(3)), language="de")
    assert text.status == "speech"
    assert text.backend.startswith("scripted@1")
    assert text.language == "de"
    assert text.media_s == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("media", "status"),
    [
        (wav(np.zeros(32_000, np.float32)), "no_speech"),
        (silent_film(), "no_audio"),
        (None, "none"),
    ],
)
def test_media_without_words_are_no_fault(find, media, status):
    text = find(media=media)
    assert (text.status, text.segments, text.problems) == (status, (), ())


@pytest.mark.parametrize(
    ("media", "reason"),
    [
        (b"", "media_empty"),
        (b"a renamed text file\n" * 9, "media_not_decodable"),
        ("nowhere.mp3", "media_missing"),
        ("folder/", "media_missing"),
        ("../../etc/passwd", "path_outside_dataset"),
        ("/etc/passwd", "path_outside_dataset"),
        ("a\0b", "path_outside_dataset"),
        ("x" * 5000, "media_missing"),
        ("file:///etc/passwd", "media_missing"),
    ],
)
def test_media_that_cannot_be_used_are_refused_with_a_reason(find, media, reason):
    text = find(media=media)
    assert (text.status, reasons(text)) == ("refused", [reason])
    assert text.segments == ()


def test_a_link_that_leads_out_of_the_dataset_is_refused(find, workspace, tmp_path):
    (tmp_path / "secret.wav").write_bytes(wav(tone(1)))
    folder = workspace.local("dataset", "media")
    folder.mkdir(parents=True)
    (folder / "link.wav").symlink_to(tmp_path / "secret.wav")
    assert reasons(find(media="link.wav")) == ["path_outside_dataset"]


def test_media_that_are_too_long_are_refused(find):
    assert reasons(find(media=wav(tone(3)), max_s=2.0)) == ["media_too_long"]


def test_a_truncated_medium_keeps_its_words_and_is_marked(find):
    data = encoded(bursts(12, rate_hz=48_000), container="mp3", codec="libmp3lame")
    text = find(media=data[: len(data) // 2])
    assert (text.status, reasons(text)) == ("speech", ["media_damaged"])
    assert 4 < text.segments[-1].end_s < 8


def test_an_item_whose_subtitles_and_media_are_both_bad_has_both_reasons(find):
    text = find(subtitles=b"nothing", media=b"")
    assert text.status == "refused"
    assert reasons(text) == ["subtitles_not_readable", "media_empty"]
    assert find(subtitles=b"nothing").status == "refused"


def test_a_recogniser_that_gives_up_refuses_that_medium_alone(find):
    assert reasons(find(GivesUp(), media=wav(tone(1)))) == ["media_not_recognised"]


@pytest.mark.parametrize("language", ["de", "deu", "fr-CA", "zh_Hans"])
def test_another_language_is_not_turned_into_english_words(find, language):
    text = find(Forbidden(), media=wav(tone(1)), language=language)
    assert (text.status, reasons(text)) == ("none", ["language_not_supported"])


@pytest.mark.parametrize("language", ["en", "en-GB", "eng", "EN", "English", None, ""])
def test_english_is_recognised_by_any_of_its_names(find, language):
    with pytest.raises(AssertionError, match="was asked"):
        find(Forbidden(), media=wav(tone(1)), language=language)


def test_a_text_survives_the_way_to_another_process(find):
    text = find(media=wav(tone(3)))
    assert text.words
    assert ItemText.from_json(json.loads(json.dumps(text.as_json()))) == text


def test_the_row_of_a_text_is_the_same_whenever_it_is_made(find):
    one, two = find(media=wav(tone(3))).as_row("x"), find(media=wav(tone(3))).as_row("x")
    assert one == two
    assert find(media=wav(tone(4))).as_row("x")["digest"] != one["digest"]


class TestAddresses:
    @pytest.fixture
    def server(self, tmp_path):
        (tmp_path / "spoken.wav").write_bytes(wav(tone(3)))
        handler = functools.partial(_Quiet, directory=str(tmp_path))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()

    def test_media_at_an_address_are_fetched(self, find, server):
        assert find(media=f"{server}/spoken.wav?signature=secret").status == "speech"

    def test_an_address_that_does_not_answer_is_a_problem_without_its_secrets(self, find, server):
        text = find(media=f"{server}/none.wav?signature=secret")
        assert (text.status, reasons(text)) == ("refused", ["media_unreachable"])
        assert "secret" not in str(text.problems)

    def test_a_scheme_without_its_package_is_a_problem(self, find):
        assert reasons(find(media="abfs://bucket/spoken.wav")) == ["media_unreachable"]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
