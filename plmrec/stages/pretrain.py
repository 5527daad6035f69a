"""Stage "pretrain": the encoder goes on learning the words of the platform's own documents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from plmrec.encoders._training import Progress, Schedule, load_tokenizer, open_source
from plmrec.encoders._training_lm import LanguageResult, train_language
from plmrec.encoders._training_texts import write_blocks
from plmrec.encoders.transformer import Options
from plmrec.errors import DataContractError
from plmrec.params import PretrainingParams

Texts: TypeAlias = Callable[[], Iterable[tuple[str, str]]]  # item_id and text, read anew each call


def pretrain(
    options: Options,
    texts: Texts,
    params: PretrainingParams,
    *,
    seed: int,
    work: Path,
    progress: Progress,
) -> LanguageResult:
    """Train the encoder on texts without labels; those of some items only measure the loss.

    Which items these are depends on their ids alone, so that they are the same in every run and
    whatever items are added.

    Args:
        options: Of the encoder to start from.
        texts: The documents.
        params: How.
        seed: Of every random choice.
        work: Folder for tokens and checkpoints; a run that was killed goes on from there.
        progress: Told steps done and to do.

    Raises:
        DataContractError: There is no text to learn from.
        BackendUnavailableError: The encoder is not here or cannot be trained like this.
    """
    source = open_source(options)
    tokenizer = load_tokenizer(source)
    limit = min(params.max_tokens, source.folder.max_length)

    def blocks(held_out: bool) -> Iterable[str]:
        return (
            text
            for item_id, text in texts()
            if text and is_held_out(item_id, params.held_out) == held_out
        )

    learnt = write_blocks(blocks(False), tokenizer, max_tokens=limit, file=work / "learnt.tokens")
    held = write_blocks(blocks(True), tokenizer, max_tokens=limit, file=work / "held.tokens")
    if not len(learnt):
        raise DataContractError(
            "pretrain: expected documents with words to learn from, found none",
            hint="Run `plmrec embed` on a dataset with texts first",
        )
    return train_language(
        source,
        learnt,
        held,
        schedule=Schedule.of(params, seed=seed),
        mask_share=params.mask_share,
        head_steps=params.head_steps,
        work=work,
        progress=progress,
    )


def is_held_out(item_id: str, share: float) -> bool:
    """Tell whether an item's text only measures the loss, by a hash of its id."""
    hashed = hashlib.blake2b(item_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(hashed, "big") < share * 2**64
