"""Composes stage "adapt": what people liked together in, a new encoder and its worth out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from plmrec.app.context import open_context
from plmrec.app.encoder_training import (
    Training,
    read_texts,
    train_encoder,
    trainable,
    training_digest,
)
from plmrec.app.encoder_worth import open_yardstick, own_texts
from plmrec.app.shards import Progress, no_progress
from plmrec.params import Params
from plmrec.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def adapt(
    *,
    require_gain: bool = False,
    settings: Settings | None = None,
    params: Params | None = None,
    progress: Progress = no_progress,
    embedding: Progress = no_progress,
) -> dict[str, Any]:
    """Train the encoder on pairs of items that people liked together, and measure what came of it.

    Pairs come from the likes before the moment that ``evaluation`` splits at, and from none of the
    items it takes out or whose texts it looks for, so that all measures ask for what was not
    learnt. The encoder of
    params.yaml stays in use. The same encoder, documents, likes and parameters give the same new
    version, which is then not trained again.

    Args:
        require_gain: Fail when the new version is not better than the encoder of params.yaml.
        settings: Where to run; the environment by default.
        params: ``encoder``, ``adaptation``, ``evaluation``, ``feedback`` and ``seed`` are used.
        progress: Told steps of training done and to do.
        embedding: Told shards embedded with the new version and to embed.

    Returns:
        See ``train_encoder``; besides ``made_by pairs paired_items text_pairs``.

    Raises:
        MissingStageError: The dataset or its documents are not there.
        ParamsError: The encoder is of a kind that cannot be trained.
        DataContractError: There are no pairs, or nobody can be judged.
        GateError: ``require_gain``, and the version is not better.
    """
    from plmrec.stages.adapt import find_pairs

    context = open_context(settings, params)
    options = trainable(context)
    yardstick = open_yardstick(context)
    learnt = yardstick.learnable()
    pairs = find_pairs(learnt, context.params.adaptation, seed=context.params.seed)

    def learn(work: Path) -> tuple[PreTrainedModel, dict[str, Any]]:
        from plmrec.stages.adapt import adapt as stage
        from plmrec.stages.adapt import mix_pairs

        known = dict(read_texts(context))
        texts = [known.get(item_id, "") for item_id in yardstick.data.catalogue.item_ids]
        own, seed = own_texts(context, yardstick), context.params.seed
        mixed = mix_pairs(pairs, texts, own, context.params.adaptation, seed=seed)
        body = stage(
            options, mixed, context.params.adaptation, seed=seed, work=work, progress=progress
        )
        return body, {
            "pairs": len(pairs),
            "paired_items": len({*pairs.ravel().tolist()}),
            "text_pairs": len(mixed) - len(pairs),
        }

    digest = training_digest(context, "adaptation", learnt.digest())
    training = Training(made_by="adapt", options=options, digest=digest, learn=learn)
    return train_encoder(
        context, training, yardstick, require_gain=require_gain, progress=embedding
    )
