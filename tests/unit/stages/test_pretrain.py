from __future__ import annotations

import pytest

from plmrec.encoders.transformer import Options
from plmrec.errors import DataContractError
from plmrec.params import PretrainingParams
from plmrec.stages.pretrain import is_held_out, pretrain
from tests.support.tiny_training import save_trainable_bert


def test_about_the_share_asked_for_is_held_out_and_always_the_same() -> None:
    ids = [f"item {number}" for number in range(2000)]
    held = [item_id for item_id in ids if is_held_out(item_id, 0.1)]
    assert 140 < len(held) < 260
    assert set(held) < {item_id for item_id in ids if is_held_out(item_id, 0.3)}


def test_documents_without_words_are_refused(tmp_path) -> None:
    options = Options(model=str(save_trainable_bert(tmp_path / "model")))
    with pytest.raises(DataContractError, match="documents with words"):
        pretrain(
            options, lambda: [("a", ""), ("b", " ")], PretrainingParams(), seed=1,
            work=tmp_path / "work", progress=lambda _done, _total: None,
        )  # fmt: skip
