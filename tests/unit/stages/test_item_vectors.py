from __future__ import annotations

import numpy as np
import pytest

from plmrec.backends import build_backend
from plmrec.params import DocumentParams
from plmrec.stages.item_vectors import encode_items, sum_up
from plmrec.text.documents import ItemText, compose_document
from plmrec.types import Segment

AXES = np.eye(4, dtype=np.float32)


def test_a_header_alone_is_the_item() -> None:
    np.testing.assert_allclose(sum_up(AXES[:1], ["header"], header_share=0.3), AXES[0])


def test_weights_are_by_part_and_then_by_passage() -> None:
    parts = ["header", "description", "speech", "speech"]
    # header 0.6, description and speech 0.2 each, each spoken passage 0.1
    expected = np.array([0.6, 0.2, 0.1, 0.1]) / np.sqrt(0.36 + 0.04 + 0.01 + 0.01)
    np.testing.assert_allclose(sum_up(AXES, parts, header_share=0.6), expected, atol=1e-6)


def test_passages_that_cancel_out_leave_the_header() -> None:
    vectors = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    vector = sum_up(vectors, ["header", "speech"], header_share=0.5)
    np.testing.assert_allclose(vector, vectors[0])


@pytest.mark.parametrize("header_share", [0.0, 0.5, 1.0])
def test_item_vectors_have_length_one(header_share: float) -> None:
    encoder = build_backend("encoders", "hashing", {"dim": 32})
    spoken = [Segment(start_s=0, end_s=9, text="hello " * 500)]
    documents = {
        "plain": compose_document(ItemText(title="Alien")),
        "rich": compose_document(ItemText(title="Alien", description="In space."), spoken),
    }
    params = DocumentParams(header_share=header_share)
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
