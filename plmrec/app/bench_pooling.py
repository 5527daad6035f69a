"""Compares the ways to make one vector of an item's passages, on one dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from plmrec.app.bench_quality import bench_workspace
from plmrec.app.context import Context, open_context
from plmrec.app.embed import embed, load_encoder
from plmrec.app.training_data import load_data
from plmrec.app.transcribe import transcribe
from plmrec.app.validate import validate
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stages.encoder_evaluation import (
    PerUser,
    compare_encoders,
    make_yardstick,
    mean_interval,
)
from plmrec.stages.pooling import POOLINGS, Pieces
from plmrec.stages.pooling_measures import judge_pooling
from plmrec.stores.tables import passages_table

Progress: TypeAlias = Callable[[int, int, str], None]


def bench_pooling(
    dataset: str,
    *,
    settings: Settings | None = None,
    params: Params | None = None,
    progress: Progress = lambda _done, _total, _what: None,
) -> dict[str, Any]:
    """Embed a dataset once, then pool its passages in every way and judge the item vectors.

    A workspace that the environment or the command line names is used, and its dataset becomes
    this one; otherwise the dataset goes to a temporary one.

    Args:
        dataset: Folder that follows the dataset contract.
        settings: Where to run; the environment by default.
        params: ``documents``, ``evaluation``, ``feedback`` and ``seed`` are used, besides what the
            stages before read.
        progress: Told steps done and to do, and what is done now.

    Returns:
        ``dataset encoder k items passages poolings``; ``passages`` says how many items have how
        many; each of ``poolings`` has ``pooling``, ``measures`` with ``n mean low high`` by name,
        and ``against_parts`` with the differences to ``parts``. The measures are those of
        stages.pooling_measures.

    Raises:
        DataContractError: The dataset is not valid, or nobody can be judged.
    """
    home = open_context(settings, params)
    with bench_workspace(home) as context:
        _prepare(context, dataset, progress)
        encoder = load_encoder(context)
        data = load_data(context, encoder.fingerprint)
        yardstick = make_yardstick(data, context.params)
        pieces = read_pieces(context, encoder.fingerprint, data.catalogue.item_ids)
        found: dict[str, PerUser] = {}
        for place, name in enumerate(POOLINGS):
            progress(place, len(POOLINGS), name)
            found[name] = judge_pooling(
                pieces,
                context.params.documents.model_copy(update={"pooling": name}),
                encoder=encoder,
                catalogue=data.catalogue,
                yardstick=yardstick,
            )
        progress(len(POOLINGS), len(POOLINGS), "done")
    return {
        "dataset": Path(dataset).name,
        "encoder": encoder.name,
        "k": yardstick.k,
        "items": data.catalogue.n_items,
        "passages": dict(sorted(Counter(len(each.parts) for each in pieces).items())),
        "poolings": [_describe(name, found, context.params) for name in found],
    }


def read_pieces(
    context: Context, fingerprint: str, item_ids: tuple[str, ...] | list[str]
) -> list[Pieces]:
    """Passages of items as pooling needs them, from the workspace, in the order of the ids."""
    table = passages_table(context.workspace, context.params.shards, fingerprint)
    rows: dict[str, list[dict[str, Any]]] = {item_id: [] for item_id in item_ids}
    for shard in table.shards:
        for row in table.read(shard, ["item_id", "part", "confidence", "vector"]).to_pylist():
            if row["item_id"] in rows:
                row["vector"] = np.array(row["vector"], dtype=np.float32)
                rows[row["item_id"]].append(row)
    return [
        Pieces(
            vectors=np.stack([row["vector"] for row in passages]),
            parts=[row["part"] for row in passages],
            confidences=[row["confidence"] for row in passages],
        )
        for passages in rows.values()
    ]


def _prepare(context: Context, dataset: str, progress: Progress) -> None:
    """Run the stages before training."""
    where: dict[str, Any] = {"settings": context.settings, "params": context.params}
    progress(0, 0, "validate")
    validate(dataset, **where)
    transcribe(progress=lambda done, total: progress(done, total, "transcribe"), **where)
    embed(progress=lambda done, total: progress(done, total, "embed"), **where)


def _describe(name: str, found: Mapping[str, PerUser], params: Params) -> dict[str, Any]:
    measures = {}
    for measure, values in found[name].items():
        mean, low, high = mean_interval(values, params)
        measures[measure] = {"n": len(values), "mean": mean, "low": low, "high": high}
    changes = compare_encoders(found["parts"], found[name], params)
    return {
        "pooling": name,
        "measures": measures,
        "against_parts": {each.measure: each.as_dict() for each in changes},
    }
