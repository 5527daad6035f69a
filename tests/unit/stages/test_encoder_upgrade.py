"""The sample that the cost of an upgrade is told from."""

from __future__ import annotations

import numpy as np
import pytest

from plmrec.stages.encoder_upgrade import SAMPLE, draw_passages
from plmrec.stores.tables import passages_table
from tests.support.embedded import FINGERPRINT, Embedded


@pytest.fixture
def passages(tmp_path):
    """800 passages of 400 items, in three shards."""
    embedded = Embedded(str(tmp_path), n_items=400, n_shards=3, dim=2)
    embedded.write()
    return passages_table(embedded.workspace, 3, FINGERPRINT)


def drawn_from_all(passages, item_ids: set[str], n: int) -> tuple[list[str], int]:
    """The same by its definition, with all texts in a list."""
    rows = passages.read_all(["item_id", "text"]).to_pylist()
    texts = [row["text"] for row in rows if row["item_id"] in item_ids]
    places = np.linspace(0, len(texts) - 1, min(n, len(texts))).astype(int)
    return [texts[place] for place in places], len(texts)


@pytest.mark.parametrize("n", [1, 7, SAMPLE, 10_000])
@pytest.mark.parametrize("every", [1, 3, 50])
def test_the_sample_is_spaced_evenly_over_the_passages_of_the_items(passages, every, n):
    item_ids = {f"i{number}" for number in range(0, 400, every)}
    texts, total = draw_passages(passages, item_ids, n)
    assert (texts, total) == drawn_from_all(passages, item_ids, n)
    assert len(texts) == len(set(texts)) == min(n, total)


def test_without_items_there_is_nothing_to_draw(passages):
    assert draw_passages(passages, set()) == ([], 0)
