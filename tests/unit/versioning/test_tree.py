"""The digest of a folder."""

from __future__ import annotations

from hashlib import md5

from plmrec.versioning.tree import tree_digest


def write(folder, name, text):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def test_it_is_the_md5_of_the_listing_that_dvc_writes(tmp_path):
    write(tmp_path, "b/x", "1")
    write(tmp_path, "a", "2")
    write(tmp_path, "manifest.json", "not counted")
    one, two = (md5(text).hexdigest() for text in (b"1", b"2"))
    listing = f'[{{"md5": "{two}", "relpath": "a"}}, {{"md5": "{one}", "relpath": "b/x"}}]'
    assert tree_digest(tmp_path) == md5(listing.encode()).hexdigest() + ".dir"


def test_it_changes_with_names_and_contents_and_with_nothing_else(tmp_path):
    write(tmp_path / "one", "a/b", "text")
    write(tmp_path / "two", "a/b", "text")
    assert tree_digest(tmp_path / "one") == tree_digest(tmp_path / "two")
    write(tmp_path / "two", "a/b", "other")
    assert tree_digest(tmp_path / "one") != tree_digest(tmp_path / "two")


def test_files_known_by_size_and_time_are_not_read_again(tmp_path):
    write(tmp_path, "a", "text")
    known = {}
    before = tree_digest(tmp_path, known=known)
    known["a"][2] = "0" * 32
    assert tree_digest(tmp_path, known=known) != before  # taken from what is known
    write(tmp_path, "a", "longer text")
    write(tmp_path, "b", "")
    assert tree_digest(tmp_path, known=known) == tree_digest(tmp_path)
    (tmp_path / "b").unlink()
    tree_digest(tmp_path, known=known)
    assert list(known) == ["a"]
