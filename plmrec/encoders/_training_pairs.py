"""Contrastive adaptation: texts of items that go together come nearer than texts of others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plmrec.encoders._model_folder import POOLING_MODES
from plmrec.encoders._training import (
    Progress,
    Schedule,
    Source,
    arguments,
    last_checkpoint,
    load_tokenizer,
    quiet,
    silence,
    telling,
)
from plmrec.model_files import LOCAL_ONLY, SAFE_WEIGHTS

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def train_pairs(  # noqa: PLR0913
    source: Source,
    pairs: Sequence[tuple[str, str]],
    *,
    schedule: Schedule,
    max_tokens: int,
    scale: float,
    work: Path,
    progress: Progress,
) -> Any:
    """Train an encoder on pairs of texts, in one process, with sentence-transformers' trainer.

    Of a batch of n pairs, each first text must find its second among the n second ones, by cosine;
    no text comes twice in a batch.

    Args:
        source: What to start from.
        pairs: At least two.
        schedule: How long and how fast.
        max_tokens: Longer texts are cut, to save time; no more than the source takes.
        scale: What cosines are multiplied by before the softmax.
        work: Folder for checkpoints. A run that was killed goes on from the last one there.
        progress: Told steps done and to do.

    Returns:
        The trained model, without pooling.

    Source:
        Henderson et al. 2017, "Efficient natural language response suggestion for Smart Reply";
        van den Oord et al. 2018, "Representation learning with contrastive predictive coding".
    """
    from datasets import Dataset, disable_progress_bars
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers
    from transformers import set_seed

    quiet()
    disable_progress_bars()
    set_seed(schedule.seed)
    model = _sentence_model(source, min(max_tokens, source.max_tokens))
    folder = work / "run"
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            **arguments(schedule, n_rows=len(pairs), folder=folder),
            batch_sampler=BatchSamplers.NO_DUPLICATES,
        ),
        train_dataset=Dataset.from_dict(
            {
                "anchor": [source.passage_prefix + first for first, _ in pairs],
                "positive": [source.passage_prefix + second for _, second in pairs],
            }
        ),
        loss=MultipleNegativesRankingLoss(model, scale=scale),
        callbacks=[telling(progress)],
    )
    silence(trainer)
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    return model[0].auto_model.cpu()


def _sentence_model(source: Source, max_tokens: int) -> SentenceTransformer:
    """The encoder as sentence-transformers has it; steps after the pooling stay as they are."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    path = str(source.folder.path)
    if source.folder.declared_pooling() == source.pooling:
        model = SentenceTransformer(
            path,
            **LOCAL_ONLY,
            model_kwargs={**SAFE_WEIGHTS, "dtype": "float32"},
        )
    else:
        body = Transformer(path, model_kwargs={**SAFE_WEIGHTS, "dtype": "float32"})
        mode = POOLING_MODES[source.pooling]
        pooling = Pooling(source.folder.dim, pooling_mode=mode)
        model = SentenceTransformer(modules=[body, pooling, Normalize()])
    if model.tokenizer.pad_token is None:
        model.tokenizer.pad_token = load_tokenizer(source).pad_token
    model.max_seq_length = max_tokens
    model.model_card_data.widget = [{"text": ""}]  # else examples are sought, with a bar of theirs
    for step in list(model)[1:]:
        for parameter in step.parameters():
            parameter.requires_grad_(False)
    return model
