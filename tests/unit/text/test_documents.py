from __future__ import annotations

from collections.abc import Sequence

from plmrec.text.documents import Chunk, Document, ItemText, Part, compose_document, cut_document
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


def compose(segments: Sequence[Segment] = (), **about: object) -> Document:
    return compose_document(ItemText(**about), segments)


def test_a_document_holds_facts_description_and_speech() -> None:
    document = compose(
        speech("to infinity", "", "and beyond"),
        title="Toy  Story",
        year=1995,
        description="A doll\nis jealous!",
        genres=("Comedy", "Family"),
        creators=("John Lasseter",),
        cast=("Tom Hanks", " "),
    )
    assert document.text == (
        "Toy Story (1995). Comedy, Family. By John Lasseter. With Tom Hanks."
        "\n\nA doll is jealous!"
        "\n\nto infinity and beyond"
    )
    assert [chunk.part for chunk in cut(document)] == [Part.HEADER, Part.DESCRIPTION, Part.SPEECH]


def test_a_title_that_names_the_year_does_not_get_it_twice() -> None:
    assert compose(title="Toy Story (1995)", year=1995).header == "Toy Story (1995)."
    assert compose(title="Who is it?", year=None).header == "Who is it?"


def test_an_item_without_any_text_but_a_title_is_its_title() -> None:
    document = compose(title="Alien", description=" \n ")
    assert document.text == "Alien."
    assert [chunk.encoded for chunk in cut(document)] == ["Alien."]


def test_a_title_without_words_still_gives_a_passage() -> None:
    assert len(cut(compose(title=" "))) == 1


def test_passages_after_the_first_are_encoded_behind_the_title() -> None:
    document = compose(
        speech("the crew wakes up", "the captain is gone"),
        title="Star Ship",
        description="One two three four five six. Seven eight nine ten eleven twelve thirteen.",
    )
    first, *others = cut(document, max_tokens=10)
    assert first.encoded == first.passage.text == "Star Ship."
    assert all(chunk.encoded == f"Star Ship. {chunk.passage.text}" for chunk in others)
    assert [(c.passage.text, c.passage.start_s, c.passage.end_s) for c in others[2:]] == [
        ("the crew wakes up the captain is gone", 0.0, 19.0)
    ]


def test_everything_encoded_fits_even_behind_an_endless_title() -> None:
    document = compose(
        speech("said " * 500), title="word " * 90, description="text " * 90, cast=("name",) * 90
    )
    chunks = cut(document)
    assert max(count_words([chunk.encoded for chunk in chunks])) <= 16
    spoken = [chunk.passage.text for chunk in chunks if chunk.part == Part.SPEECH]
    assert sum(count_words(spoken)) == 500


def test_an_enormous_text_is_bounded() -> None:
    chunks = cut(compose(speech(*(["some words"] * 10_000)), title="Epic"), max_passages=7)
    assert len(chunks) == 7
    assert chunks[0].part == Part.HEADER
    assert chunks[-1].passage.end_s == 10.0 * 9_999 + 9


def test_the_digest_changes_with_words_and_with_times() -> None:
    base = compose(speech("hello"), title="A")
    same = compose(speech("hello "), title=" A ")
    later = compose([Segment(start_s=1, end_s=2, text="hello")], title="A")
    assert base.digest == same.digest
    assert len({base.digest, later.digest, compose(title="A").digest}) == 3
