from __future__ import annotations

from collections.abc import Sequence

from plmrec.text.documents import Chunk, Document, compose_document, cut_document
from plmrec.types import Segment


def count_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def cut(document: Document, max_tokens: int = 16, max_passages: int = 100) -> list[Chunk]:
    return cut_document(
        document,
        max_tokens=max_tokens,
        overlap_tokens=0,
        max_passages=max_passages,
        count_tokens=count_words,
    )


def speech(*texts: str) -> list[Segment]:
    return [
        Segment(start_s=10.0 * number, end_s=10.0 * number + 9, text=text)
        for number, text in enumerate(texts)
    ]


def test_a_document_holds_every_part_as_a_sentence() -> None:
    document = compose_document(
        title="Toy  Story",
        description="A doll is jealous!",
        genres=["Comedy", "Family"],
        creators=["John Lasseter"],
        cast=["Tom Hanks", " "],
        segments=speech("to infinity", "", "and beyond"),
    )
    for part in ("Toy Story.", "Comedy, Family.", "A doll is jealous!", "John Lasseter", "Tom Hanks"):
        assert part in document.written
    assert document.text.endswith("\n\nto infinity and beyond")
    assert len(document.spoken) == 2


def test_an_item_without_any_text_but_a_title_is_its_title() -> None:
    document = compose_document(title="Alien", description=" \n ")
    assert document.text == "Alien."
    assert [chunk.encoded for chunk in cut(document)] == ["Alien."]


def test_a_title_without_words_still_gives_a_passage() -> None:
    assert len(cut(compose_document(title=" "))) == 1


def test_the_first_passage_begins_with_the_title_and_the_others_are_encoded_behind_it() -> None:
    document = compose_document(
        title="Star Ship",
        description="One two three four five six. Seven eight nine ten eleven twelve thirteen.",
        segments=speech("the crew wakes up", "the captain is gone"),
    )
    first, *others = cut(document, max_tokens=10)
    assert first.encoded == first.passage.text
    assert first.passage.text.startswith("Star Ship.")
    assert all(chunk.encoded == f"Star Ship. {chunk.passage.text}" for chunk in others)
    spoken = [chunk.passage for chunk in others if chunk.passage.start_s is not None]
    assert [(p.text, p.start_s, p.end_s) for p in spoken] == [
        ("the crew wakes up the captain is gone", 0.0, 19.0)
    ]


def test_everything_encoded_fits_even_behind_an_endless_title() -> None:
    document = compose_document(
        title="word " * 90, description="text " * 90, segments=speech("said " * 500)
    )
    chunks = cut(document)
    assert max(count_words([chunk.encoded for chunk in chunks])) <= 16
    spoken = [chunk.passage.text for chunk in chunks if chunk.passage.start_s is not None]
    assert sum(count_words(spoken)) == 500


def test_an_enormous_text_is_bounded() -> None:
    document = compose_document(title="Epic", segments=speech(*(["some words"] * 10_000)))
    chunks = cut(document, max_passages=7)
    assert len(chunks) == 7
    assert chunks[0].passage.start_s is None
    assert chunks[-1].passage.end_s == 10.0 * 9_999 + 9


def test_the_digest_changes_with_words_and_with_times() -> None:
    base = compose_document(title="A", segments=speech("hello"))
    same = compose_document(title=" A ", segments=speech("hello "))
    later = compose_document(title="A", segments=[Segment(start_s=1, end_s=2, text="hello")])
    assert base.digest == same.digest
    assert len({base.digest, later.digest, compose_document(title="A").digest}) == 3
