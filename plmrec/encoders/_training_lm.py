"""Further pre-training: an encoder learns the words of a corpus by filling in hidden ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
from plmrec.encoders._training_texts import TokenBlocks
from plmrec.errors import BackendUnavailableError
from plmrec.model_files import load_weights

log = logging.getLogger(__name__)

_NOT_ASKED: Final = -100  # label of a token that no loss is taken of
_HEAD: Final = "head.safetensors"
_HEAD_RATE: Final = 5e-4  # learning rate of a new head, alone; the body does not move


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageResult:
    """What a further pre-training did.

    Attributes:
        body: The trained model without its head.
        objective: ``masked`` or ``causal``.
        steps: Steps taken, those before a kill included.
        loss_before: Mean loss of the held-out texts before the body moved, nats per token that
            was asked for; nan without such texts.
        loss_after: The same afterwards, of the same tokens.
    """

    body: Any
    objective: str
    steps: int
    loss_before: float
    loss_after: float


def train_language(  # noqa: PLR0913
    source: Source,
    texts: TokenBlocks,
    held_out: TokenBlocks,
    *,
    schedule: Schedule,
    mask_share: float,
    head_steps: int,
    work: Path,
    progress: Progress,
) -> LanguageResult:
    """Train a model on texts without labels, in one process.

    An encoder learns to tell masked tokens: in every batch ``mask_share`` of them are drawn anew,
    so that a text that comes again is masked in other places. 80 % of these are replaced by the
    mask, 10 % by another token, 10 % stay. A decoder learns to tell each next token.

    A model without a head for that gets one: its output layer is the table of the input tokens,
    tied, and what is new in between is first trained alone for ``head_steps`` steps, so that its
    random start does not disturb what the body knows. The loss before is measured after that.

    Args:
        source: What to start from.
        texts: To learn from, at least one block.
        held_out: To measure the loss on.
        schedule: How long and how fast.
        mask_share: In (0, 1).
        head_steps: Steps for a new head alone.
        work: Folder for checkpoints. A run that was killed goes on from the last one there.
        progress: Told steps done and to do, of a new head first, then of all.

    Raises:
        BackendUnavailableError: The tokenizer has no mask, or weights are missing.

    Source:
        Devlin et al. 2019, "BERT"; dynamic masking as in Liu et al. 2019, "RoBERTa"; going on with
        a corpus of one's own as in Gururangan et al. 2020, "Don't stop pretraining".
    """
    from transformers import Trainer, TrainingArguments, set_seed

    quiet()
    set_seed(schedule.seed)
    tokenizer = load_tokenizer(source)
    collate = _collator(source, tokenizer, mask_share)
    model, is_new = _load(source)
    if is_new and head_steps:
        _train_head(model, _draw(texts, collate, schedule), head_steps, work, progress)
    measure = _Loss(source, tokenizer, mask_share, schedule)
    before = measure(model, held_out)
    set_seed(schedule.seed)
    folder = work / "run"

    class OfAsked(Trainer):  # type: ignore[misc]  # transformers has no types
        """Takes the loss of the tokens that are asked for, without scores of all others."""

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any
        ) -> Any:
            """Mean loss per token; the trainer asks for outputs only where it evaluates."""
            loss, _asked = _loss_of(model, inputs, source.is_decoder)
            return (loss, {}) if return_outputs else loss

    trainer = OfAsked(
        model=model,
        args=TrainingArguments(
            **arguments(schedule, n_rows=len(texts), folder=folder), remove_unused_columns=False
        ),
        train_dataset=texts,
        data_collator=collate,
        callbacks=[telling(progress)],
    )
    silence(trainer)
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    return LanguageResult(
        body=model.base_model,
        objective="causal" if source.is_decoder else "masked",
        steps=int(trainer.state.global_step),
        loss_before=before,
        loss_after=measure(model, held_out),
    )


def _load(source: Source) -> tuple[Any, bool]:
    """The model with its head, in float32, and whether the head is new."""
    model, missing = load_weights(
        "AutoModelForCausalLM" if source.is_decoder else "AutoModelForMaskedLM",
        source.folder.path,
        who="pretrain",
        hint="Name a model of the BERT, RoBERTa, MPNet, GPT, Llama or Qwen kind",
        dtype="float32",
        may_miss=lambda model, key: _is_of_head(model, key) or "pooler." in key,
    )
    return model, any(_is_of_head(model, key) for key in missing)


def _is_of_head(model: Any, key: str) -> bool:
    return not key.startswith(f"{model.base_model_prefix}.")


def _collator(source: Source, tokenizer: Any, mask_share: float, seed: int | None = None) -> Any:
    from transformers import DataCollatorForLanguageModeling

    if source.is_decoder:
        return DataCollatorForLanguageModeling(tokenizer, mlm=False)
    if tokenizer.mask_token is None:
        raise BackendUnavailableError(
            f"pretrain: expected a mask token in the tokenizer of {source.folder.path}, found none",
            hint="Name a model that was trained with masked language modelling",
        )
    return DataCollatorForLanguageModeling(
        tokenizer, mlm=True, mlm_probability=mask_share, seed=seed
    )


def _draw(texts: TokenBlocks, collate: Any, schedule: Schedule) -> Iterator[Any]:
    """Batches drawn evenly from all texts, without end."""
    import torch

    drawn = torch.Generator().manual_seed(schedule.seed)
    while True:
        rows = torch.randint(len(texts), (schedule.batch_size,), generator=drawn)
        yield collate([texts[int(row)] for row in rows])


def _train_head(
    model: Any, batches: Iterator[Any], n_steps: int, work: Path, progress: Progress
) -> None:
    """Train what is new in front of the frozen body, or take it from an earlier run."""
    import torch
    from safetensors.torch import load_file, save_file

    body = {id(parameter) for parameter in model.base_model.parameters()}
    head = {name: each for name, each in model.named_parameters() if id(each) not in body}
    file = work / _HEAD
    if file.exists():
        model.load_state_dict(load_file(str(file)), strict=False)
        return
    optimizer = torch.optim.AdamW(list(head.values()), lr=_HEAD_RATE)
    model.train()
    for parameter in model.base_model.parameters():
        parameter.requires_grad_(False)
    for step in range(n_steps):
        progress(step, n_steps)
        loss, _ = _loss_of(model, next(batches), is_decoder=False)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    for parameter in model.base_model.parameters():
        parameter.requires_grad_(True)
    work.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    save_file({name: each.detach().clone() for name, each in head.items()}, str(temporary))
    temporary.replace(file)
    log.info("trained a new head of %d weights", sum(each.numel() for each in head.values()))


def _loss_of(model: Any, batch: Any, is_decoder: bool) -> tuple[Any, int]:
    """Mean loss per token that is asked for, in nats, and their number; 0 without any.

    Scores over the whole vocabulary are by far the largest numbers of a small model, so those of
    an encoder are computed for the masked tokens alone.
    """
    import torch

    labels = batch["labels"]
    inputs = {name: values for name, values in batch.items() if name != "labels"}
    if is_decoder:  # each token tells the next one
        wanted = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=_NOT_ASKED)
    else:
        wanted = labels
    picked = wanted != _NOT_ASKED
    head = getattr(model, "cls", None) or getattr(model, "lm_head", None)
    hook = head.register_forward_pre_hook(_picking(picked)) if head is not None else None
    try:
        scores = model(**inputs).logits
    finally:
        if hook is not None:
            hook.remove()
    if scores.dim() == 3:  # a model whose output layer has another name
        scores = scores[picked]
    n = int(picked.sum())
    total = torch.nn.functional.cross_entropy(scores.float(), wanted[picked], reduction="sum")
    return total / max(n, 1), n


def _picking(picked: Any) -> Any:
    """Hands an output layer the states of some tokens only."""

    def pick(_layer: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
        states, *others = given
        return (states[picked] if states.shape[:2] == picked.shape else states, *others)

    return pick


class _Loss:
    """Mean loss per token that is asked for, always the same tokens of the same texts."""

    def __init__(
        self, source: Source, tokenizer: Any, mask_share: float, schedule: Schedule
    ) -> None:
        self._parts = (source, tokenizer, mask_share, schedule.seed)
        self._batch_size = schedule.batch_size

    def __call__(self, model: Any, texts: TokenBlocks) -> float:
        """Loss in nats; nan without texts."""
        import torch

        collate, total, n_asked = _collator(*self._parts), 0.0, 0
        device = next(model.parameters()).device
        model.eval()
        with torch.inference_mode():
            for start in range(0, len(texts), self._batch_size):
                rows = range(start, min(start + self._batch_size, len(texts)))
                batch = {k: v.to(device) for k, v in collate([texts[row] for row in rows]).items()}
                loss, n = _loss_of(model, batch, self._parts[0].is_decoder)
                total += float(loss) * n
                n_asked += n
        return total / n_asked if n_asked else float("nan")
