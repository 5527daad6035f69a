"""Finding, checking and copying the files that items name."""

from __future__ import annotations

import os

import pytest

from plmrec.stages.file_digests import FileDigests
from plmrec.stages.media_intake import MediaIntake, Reference, references_of


class FakeProbes:
    """Takes every file that begins with ``good`` for a film."""

    def __init__(self) -> None:
        self.looked_at = []

    def media_problem(self, path):
        self.looked_at.append(path.name)
        return "" if path.read_bytes().startswith(b"good") else "media: no film"

    def subtitles_problem(self, path):
        return "" if b"-->" in path.read_bytes() else "subtitles: no cue"


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "raw"
    (folder / "media").mkdir(parents=True)
    (folder / "media" / "a.wav").write_bytes(b"good sound")
    (tmp_path / "secret.wav").write_bytes(b"good, but not yours")
    return folder


def intake(dataset, *, known=None, probes=None):
    root = dataset.parent
    return MediaIntake(
        target=root / "next",
        raw=FileDigests(dataset.resolve()),
        accepted=FileDigests(root / "before"),
        probes=probes or FakeProbes(),
        known=known or {},
    )


def reference(path, field="media"):
    return Reference(item_id="i", field=field, path=path, row=0)


def facts(dataset, path, field="media"):
    return intake(dataset).facts([reference(path, field)]).iloc[0].to_dict()


def test_a_path_is_meant_from_the_dataset_or_from_its_media_folder(dataset):
    for path in ("media/a.wav", "a.wav"):
        found = facts(dataset, path)
        assert found["inside_dataset"]
        assert found["exists"]
        assert found["media_problem"] is None


@pytest.mark.parametrize(
    "path", ["../secret.wav", "media/../../secret.wav", "/etc/passwd", "file:///etc/passwd"]
)
def test_a_path_that_leaves_the_dataset_is_never_opened(dataset, path):
    probes = FakeProbes()
    media = intake(dataset, probes=probes)
    assert not media.facts([reference(path)]).iloc[0]["inside_dataset"]
    assert probes.looked_at == []


def test_a_link_that_leaves_the_dataset_is_never_opened(dataset):
    (dataset / "media" / "link.wav").symlink_to(dataset.parent / "secret.wav")
    (dataset / "media" / "out").symlink_to(dataset.parent)
    assert not facts(dataset, "media/link.wav")["inside_dataset"]
    assert not facts(dataset, "media/out/secret.wav")["inside_dataset"]


def test_missing_and_empty_files_pipes_and_impossible_names_are_told_apart(dataset):
    (dataset / "media" / "empty.wav").touch()
    os.mkfifo(dataset / "media" / "pipe.wav")
    assert facts(dataset, "media/empty.wav")["size_bytes"] == 0
    for path in ("media/none.wav", "media", "media/pipe.wav", "x" * 5000, "a\0b"):
        assert not facts(dataset, path)["exists"], path


def test_a_file_is_looked_into_once_per_content(dataset):
    (dataset / "media" / "copy.wav").write_bytes(b"good sound")
    probes = FakeProbes()
    media = intake(dataset, probes=probes)
    media.facts([reference("media/a.wav"), reference("media/copy.wav")])
    assert len(probes.looked_at) == 1
    again = FakeProbes()
    intake(dataset, probes=again, known=media.problems).facts([reference("media/a.wav")])
    assert again.looked_at == []


def test_an_accepted_file_is_copied_below_media_by_its_relative_path(dataset):
    name, digest = intake(dataset).take(reference("media/a.wav"))
    assert name == "a.wav"
    assert (dataset.parent / "next" / "a.wav").read_bytes() == b"good sound"
    assert digest == FileDigests(dataset).of(dataset / "media" / "a.wav")


def test_an_unchanged_file_is_linked_and_a_changed_one_is_copied(dataset):
    before = dataset.parent / "before"
    before.mkdir()
    (before / "a.wav").write_bytes(b"good sound")
    intake(dataset).take(reference("media/a.wav"))
    assert (dataset.parent / "next" / "a.wav").samefile(before / "a.wav")
    (dataset / "media" / "a.wav").write_bytes(b"good news")
    (dataset.parent / "next" / "a.wav").unlink()
    intake(dataset).take(reference("media/a.wav"))
    assert (dataset.parent / "next" / "a.wav").read_bytes() == b"good news"
    assert (before / "a.wav").read_bytes() == b"good sound"


def test_two_files_that_would_get_one_name_get_two(dataset):
    (dataset / "a.wav").write_bytes(b"good other")
    media = intake(dataset)
    names = [media.take(reference(path))[0] for path in ("media/a.wav", "./a.wav")]
    stored = {(dataset.parent / "next" / name).read_bytes() for name in names}
    assert stored == {b"good sound", b"good other"}


def test_addresses_are_passed_on_unread():
    rows = [
        {"item_id": "1", "media": "s3://bucket/a.mp4", "subtitles": None},
        {"item_id": "2", "media": "a.wav", "subtitles": "https://example.org/a.srt"},
    ]
    assert [found.path for found in references_of(rows)] == ["a.wav"]
