"""Texts as blocks of tokens on disk, so that a corpus of any size trains in the same memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from plmrec.histories import Ints

_TEXTS_AT_ONCE: Final = 256
_SHORTEST: Final = 4  # tokens below which a block teaches nothing


@dataclass(frozen=True, slots=True, eq=False)
class TokenBlocks:
    """Blocks of tokens, special ones included; block i is ``tokens[ends[i]:ends[i + 1]]``.

    Attributes:
        tokens: int32 (n_tokens,), read from disk as it is needed.
        ends: int64 (n_blocks + 1,), from 0.
    """

    tokens: np.memmap[Any, np.dtype[np.int32]] | np.ndarray[Any, np.dtype[np.int32]]
    ends: Ints

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.ends) - 1

    def __getitem__(self, block: int) -> dict[str, list[int]]:
        """One block as a trainer wants it."""
        return {"input_ids": self.tokens[self.ends[block] : self.ends[block + 1]].tolist()}


def write_blocks(
    texts: Iterable[str], tokenizer: Any, *, max_tokens: int, file: Path
) -> TokenBlocks:
    """Cut texts into blocks of tokens; no block holds words of two texts.

    Args:
        texts: Any number; they are read once.
        tokenizer: Of the model, with a fast implementation.
        max_tokens: Longest block with special tokens.
        file: Where the tokens go; replaced when it is there.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lengths: list[int] = []
    with file.open("wb") as sink:
        for some in _batches(texts):
            found = tokenizer(
                some,
                truncation=True,
                max_length=max_tokens,
                return_overflowing_tokens=True,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,
            )["input_ids"]
            for block in found:
                if len(block) >= _SHORTEST:
                    sink.write(np.asarray(block, dtype=np.int32).tobytes())
                    lengths.append(len(block))
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if not lengths:
        return TokenBlocks(np.empty(0, dtype=np.int32), ends)
    return TokenBlocks(np.memmap(file, dtype=np.int32, mode="r"), ends)


def _batches(texts: Iterable[str]) -> Iterator[Sequence[str]]:
    held: list[str] = []
    for text in texts:
        held.append(text)
        if len(held) == _TEXTS_AT_ONCE:
            yield held
            held = []
    if held:
        yield held
