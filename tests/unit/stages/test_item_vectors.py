from __future__ import annotations

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.params import DocumentParams
from plmrec.stages.item_vectors import encode_items
from plmrec.stages.pooling import POOLINGS
from plmrec.text.documents import ItemText, compose_document
from plmrec.types import Segment


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("header_share", [0.0, 0.5, 1.0])
def test_item_vectors_have_length_one(header_share: float, pooling: str) -> None:
    encoder = build_backend("encoders", "hashing", {"dim": 32})
    spoken = [Segment(start_s=0, end_s=9, text="hello " * 500)]
    documents = {
        "plain": compose_document(ItemText(title="Alien")),
        "rich": compose_document(ItemText(title="Alien", description="In space."), spoken),
    }
    params = DocumentParams(header_share=header_share, pooling=pooling)
    encoded = encode_items(documents, encoder=encoder, params=params)
    assert list(encoded) == ["plain", "rich"]
    for item in encoded.values():
        assert np.linalg.norm(item.vector) == pytest.approx(1.0, abs=1e-5)
        assert len(item.chunks) == len(item.passage_vectors)
    assert len(encoded["plain"].chunks) == 1
    assert len(encoded["rich"].chunks) > 5


def test_the_row_of_an_item_depends_on_text_and_encoder_and_not_on_its_neighbours() -> None:
    def row(dim: int, *titles: str) -> str:
        encoder = build_backend("encoders", "hashing", {"dim": dim})
        documents = {title: compose_document(ItemText(title=title)) for title in titles}
        encoded = encode_items(documents, encoder=encoder, params=DocumentParams())
        return str(encoded[titles[0]].vector_row("id", "input")["digest"])

    assert row(32, "Alien") == row(32, "Alien", "Brazil")
    assert row(32, "Alien") != row(64, "Alien")
    assert row(32, "Alien") != row(32, "Brazil")


def test_a_passage_row_tells_what_it_was_cut_from_when_and_how_surely_it_was_heard() -> None:
    spoken = [
        Segment(start_s=60 * minute, end_s=60 * minute + 50, text="tide", confidence=0.5)
        for minute in range(3)
    ]
    document = compose_document(ItemText(title="Sea", description="Of water."), spoken)
    encoder = build_backend("encoders", "hashing", {"dim": 32})
    params = DocumentParams(passage_s=60)
    rows = encode_items({"a": document}, encoder=encoder, params=params)["a"].passage_rows("a", "d")
    assert [row["part"] for row in rows] == ["header", "description", *["speech"] * 3]
    assert [row["start_s"] for row in rows] == [None, None, 0.0, 60.0, 120.0]
    assert [row["confidence"] for row in rows] == [None, None, 0.5, 0.5, 0.5]
