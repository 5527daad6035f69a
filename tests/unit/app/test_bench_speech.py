from __future__ import annotations

import csv

import pytest

from plmrec.app.bench_shards import bench_shards
from plmrec.app.bench_speech import bench_speech
from plmrec.errors import DataContractError
from plmrec.params import Params, SpeechParams
from tests.support.media import tone, wav

SCRIPTED = Params(speech=SpeechParams(backend="scripted"))


def test_errors_are_counted_per_file_and_over_all(tmp_path, tmp_settings):
    (tmp_path / "two.wav").write_bytes(wav(tone(2)))
    heard = "speech speech"  # one word per second, by its loudness
    (tmp_path / "refs.tsv").write_text(
        f"file\ttext\tseconds\ntwo.wav\t{heard.upper()}.\t2\ntwo.wav\tspeech\t2\nno.wav\ta b\t1\n"
    )
    result = bench_speech(tmp_path / "refs.tsv", settings=tmp_settings, params=SCRIPTED)
    assert [file["wer"] for file in result["files"]] == [0.0, 1.0, 1.0]
    assert [file["status"] for file in result["files"]] == ["speech", "speech", "refused"]
    assert result["total"]["wer"] == pytest.approx(3 / 5)  # one inserted, two lost, of 2 + 1 + 2
    assert result["total"]["errors"] == 3
    assert result["total"]["media_s"] == pytest.approx(4.0)
    assert result["files"][2]["rtf"] is None


@pytest.mark.parametrize("text", ["", "file\ttext\n", "file;text\na.wav;b\n"])
def test_a_table_without_references_is_refused(tmp_path, tmp_settings, text):
    (tmp_path / "refs.tsv").write_text(text)
    with pytest.raises(DataContractError, match="columns file and text"):
        bench_speech(tmp_path / "refs.tsv", settings=tmp_settings, params=SCRIPTED)


@pytest.mark.slow
@pytest.mark.realdata
def test_finding_speech_first_makes_recordings_of_people_no_harder_to_understand(
    shared_data, tmp_settings
):
    refs = shared_data / "speech" / "refs.tsv"
    result = bench_speech(refs, settings=tmp_settings, params=Params())
    with refs.open(encoding="utf-8") as file:
        expected = [row["file"] for row in csv.DictReader(file, delimiter="\t")]
    assert [file["file"] for file in result["files"]] == expected
    assert result["total"]["wer"] <= result["bare"]["wer"] <= 0.26


@pytest.mark.realdata
def test_music_without_speech_gives_no_words(shared_data, tmp_path, tmp_settings):
    film = shared_data / "media" / "big_buck_bunny_small.mp4"
    (tmp_path / "refs.tsv").write_text(f"file\ttext\n{film}\t\n")
    result = bench_speech(tmp_path / "refs.tsv", settings=tmp_settings, params=Params())
    assert result["files"][0]["status"] == "no_speech"
    assert result["files"][0]["media_s"] == pytest.approx(5.3, abs=0.1)
    assert result["files"][0]["speech_s"] == 0.0  # the recogniser was not asked at all


def test_the_bare_backend_hears_the_same_files_in_turns(tmp_path, tmp_settings):
    (tmp_path / "a.wav").write_bytes(wav(tone(2)))
    (tmp_path / "refs.tsv").write_text("file\ttext\na.wav\tspeech speech\nno.wav\tlost\n")
    result = bench_speech(tmp_path / "refs.tsv", settings=tmp_settings, params=SCRIPTED)
    assert result["bare"]["wer"] == result["total"]["wer"] == pytest.approx(1 / 3, abs=1e-3)
    assert result["overhead"] == pytest.approx(
        result["total"]["seconds"] / result["bare"]["seconds"] - 1, abs=1e-3
    )
    alone = bench_speech(
        tmp_path / "refs.tsv", settings=tmp_settings, params=SCRIPTED, compare=False
    )
    assert "bare" not in alone
    assert alone["refs_digest"] == result["refs_digest"]
    (tmp_path / "a.wav").write_bytes(wav(tone(3)))
    again = bench_speech(tmp_path / "refs.tsv", settings=tmp_settings, params=SCRIPTED)
    assert again["refs_digest"] != result["refs_digest"]


@pytest.mark.slow
def test_shards_are_transcribed_by_the_stage_itself_and_none_is_left_empty(tmp_path, tmp_settings):
    for number in range(4):
        (tmp_path / f"{number}.wav").write_bytes(wav(tone(2 + number)))
    lines = [f"{number}.wav\tspeech\n" for number in range(4)]
    (tmp_path / "refs.tsv").write_text("file\ttext\n" + "".join(lines))
    found = bench_shards(tmp_path / "refs.tsv", n_shards=2, settings=tmp_settings, params=SCRIPTED)
    assert found["speed_up"] == pytest.approx(found["in_turn_s"] / found["at_once_s"], abs=0.01)
    broken = Params(speech=SpeechParams(backend="hearsay"))
    with pytest.raises(DataContractError, match="hearsay"):
        bench_shards(tmp_path / "refs.tsv", n_shards=2, settings=tmp_settings, params=broken)
