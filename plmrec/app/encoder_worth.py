"""What encoders are worth on the platform's own data: likes, and texts found by a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from plmrec.app.context import Context
from plmrec.app.encoders import NewVersion, embed_beside, with_encoder
from plmrec.app.shards import Progress, no_progress
from plmrec.app.training_data import load_catalogue, load_data
from plmrec.encoders.base import Encoder
from plmrec.stages.encoder_evaluation import (
    RETRIEVAL,
    Change,
    PerUser,
    Yardstick,
    compare_encoders,
    judge_retrieval,
    judge_vectors,
    make_yardstick,
)
from plmrec.stores.tables import passages_table

_MAX_QUERIES: Final = 300  # items whose description is looked for


def open_yardstick(context: Context) -> Yardstick:
    """What encoders of this workspace are measured by; reads no vectors.

    Raises:
        MissingStageError: The dataset is not there.
        DataContractError: Nobody can be judged.
    """
    return make_yardstick(load_data(context, None), context.params)


def evaluate_versions(
    context: Context,
    version: NewVersion,
    yardstick: Yardstick,
    progress: Progress = no_progress,
) -> list[Change]:
    """Compare the encoder of params.yaml with a new version of it, on the platform's own data.

    Args:
        context: With the encoder that is there.
        version: The other.
        yardstick: From ``open_yardstick``.
        progress: Told shards embedded and to embed.
    """
    after = with_encoder(context, version.encoder)
    before_values = _measure(context, embed_beside(context), yardstick)
    after_values = _measure(after, embed_beside(after, progress), yardstick)
    return compare_encoders(before_values, after_values, context.params)


def own_texts(context: Context, yardstick: Yardstick) -> list[tuple[str, str]]:
    """Two texts each of items that may be learnt from: none that is taken out or asked for.

    Returns:
        Header and first other passage, of items that have both, sorted by id.
    """
    fingerprint = embed_beside(context).fingerprint
    known = _two_texts(context, fingerprint)
    left_out = set(_asked(context, sorted(known)))
    for split in yardstick.splits.values():
        if split.candidates is not None:
            places = np.flatnonzero(split.candidates).tolist()
            left_out.update(yardstick.data.catalogue.item_ids[place] for place in places)
    return [known[item_id] for item_id in sorted(known) if item_id not in left_out]


def _measure(context: Context, encoder: Encoder, yardstick: Yardstick) -> PerUser:
    catalogue = load_catalogue(context, encoder.fingerprint)
    vectors = catalogue.vectors
    found = {} if vectors is None else judge_vectors(vectors, yardstick)
    asked = _questions(context, encoder.fingerprint)
    return found | ({RETRIEVAL: judge_retrieval(encoder, asked)} if len(asked) > 1 else {})


def _questions(context: Context, fingerprint: str) -> list[tuple[str, str]]:
    """Header and first other passage of some items that have one; the same for all encoders."""
    known = _two_texts(context, fingerprint)
    return [known[item_id] for item_id in _asked(context, sorted(known))]


def _asked(context: Context, ids: Sequence[str]) -> list[str]:
    drawn = np.random.default_rng(context.params.seed).permutation(len(ids))[:_MAX_QUERIES]
    drawn = drawn[: max(len(ids) // 2, 1)]  # some are left to learn from
    return [ids[place] for place in sorted(drawn.tolist())]


def _two_texts(context: Context, fingerprint: str) -> dict[str, tuple[str, str]]:
    """Header and first other passage of every item that has both, by item_id."""
    table = passages_table(context.workspace, context.params.shards, fingerprint)
    heads: dict[str, str] = {}
    found: dict[str, tuple[str, str]] = {}
    for row in table.rows(["item_id", "part", "text"]):
        item_id = row["item_id"]
        if row["part"] == "header":
            heads.setdefault(item_id, row["text"])
        elif item_id in heads:
            found.setdefault(item_id, (heads[item_id], row["text"]))
    return found
