from __future__ import annotations

import json
from pathlib import Path

import pytest

from plmrec.app.bench_embed import bench_embed, made_up_texts, read_texts
from plmrec.errors import DataContractError, ParamsError
from plmrec.params import EncoderParams, Params
from tests.support import tiny_models


def dataset(folder: Path, items: list[dict[str, object]]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    (folder / "interactions.csv").write_text("user_id,item_id,event\nu,1,like\n")
    return folder


def test_texts_are_titles_with_descriptions(tmp_path: Path) -> None:
    found = dataset(
        tmp_path,
        [
            {"item_id": "1", "kind": "video", "title": "Sea", "description": "A storm."},
            {"item_id": "2", "kind": "video", "title": "Bread", "description": None},
        ],
    )
    assert read_texts(found, None) == ["Sea. A storm.", "Bread"]
    assert read_texts(found, 1) == ["Sea. A storm."]


def test_a_dataset_without_texts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataContractError, match="found none"):
        read_texts(dataset(tmp_path, [{"item_id": "1", "kind": "video", "title": ""}]), None)


def test_made_up_texts_are_the_same_on_every_run_and_of_many_lengths() -> None:
    texts = made_up_texts(200)
    assert texts == made_up_texts(200)
    lengths = sorted(len(text.split()) for text in texts)
    assert 25 < lengths[100] < 45
    assert lengths[-1] > 3 * lengths[0]


def test_another_backend_has_no_default_to_compare_with() -> None:
    params = Params(encoder=EncoderParams(backend="hashing"))
    with pytest.raises(ParamsError, match="transformer"):
        bench_embed(params=params)


def test_both_sides_encode_the_same_texts_and_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_models.save_bert(tmp_path / "model")
    options = {"model": str(model), "dtype": "float32"}
    params = Params(encoder=EncoderParams(options=options))
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(  # a fresh process takes seconds to import its libraries
        "plmrec.app.bench_embed.peak_of", lambda *given: asked.append(given) or 1.5
    )
    steps: list[tuple[int, int]] = []
    result = bench_embed(
        n_texts=40,
        rounds=3,
        params=params,
        progress=lambda done, total, _: steps.append((done, total)),
    )
    assert (result["texts"], result["rounds"], result["precision"]) == (40, 3, "float32")
    assert result["cosine_min"] > 0.99999
    low, high = result["ratio_range"]
    assert 0 < low <= result["ratio"] <= high
    assert result["peak_mb"] == {"default": 1.5, "ours": 1.5}
    assert [side for side, *_ in asked] == ["default", "ours"]
    assert steps[0] == (0, 8)
    assert steps[-1] == (8, 8)
