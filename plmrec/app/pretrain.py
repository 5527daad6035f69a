"""Composes stage "pretrain": the workspace's documents in, a new encoder and its worth out."""

from __future__ import annotations

import math
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
from plmrec.app.encoder_worth import open_yardstick
from plmrec.app.shards import Progress, no_progress
from plmrec.params import Params
from plmrec.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def pretrain(
    *,
    require_gain: bool = False,
    settings: Settings | None = None,
    params: Params | None = None,
    progress: Progress = no_progress,
    embedding: Progress = no_progress,
) -> dict[str, Any]:
    """Go on training the encoder on the workspace's own documents, and measure what came of it.

    The encoder of params.yaml stays in use. The same encoder, documents and parameters give the
    same new version, which is then not trained again.

    Args:
        require_gain: Fail when the new version is not better than the encoder of params.yaml.
        settings: Where to run; the environment by default.
        params: ``encoder``, ``pretraining``, ``evaluation`` and ``seed`` are used.
        progress: Told steps of training done and to do.
        embedding: Told shards embedded with the new version and to embed.

    Returns:
        See ``train_encoder``; besides ``made_by objective steps loss_before loss_after``, the
        losses being those of the held-out texts, in nats per token, None without such texts.

    Raises:
        MissingStageError: The documents are not there.
        ParamsError: The encoder is of a kind that cannot be trained.
        GateError: ``require_gain``, and the version is not better.
    """
    context = open_context(settings, params)
    options = trainable(context)
    yardstick = open_yardstick(context)

    def learn(work: Path) -> tuple[PreTrainedModel, dict[str, Any]]:
        from plmrec.stages.pretrain import pretrain as stage

        result = stage(
            options,
            lambda: read_texts(context),
            context.params.pretraining,
            seed=context.params.seed,
            work=work,
            progress=progress,
        )
        return result.body, {
            "objective": result.objective,
            "steps": result.steps,
            "loss_before": _number(result.loss_before),
            "loss_after": _number(result.loss_after),
        }

    digest = training_digest(context, "pretraining")
    training = Training(made_by="pretrain", options=options, digest=digest, learn=learn)
    return train_encoder(
        context, training, yardstick, require_gain=require_gain, progress=embedding
    )


def _number(value: float) -> float | None:
    """None for what JSON cannot say."""
    return value if math.isfinite(value) else None
