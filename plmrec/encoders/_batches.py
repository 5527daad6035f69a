"""Texts put together for forward passes: in windows of bounded size, without wasted work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

WINDOW_TEXTS: Final = 2048  # sorted by length together; memory grows with this, not with the texts
WINDOW_CHARACTERS: Final = 1_000_000  # of a window: long texts make it shorter


def windows(texts: Iterable[str]) -> Iterator[list[str]]:
    """Cut a stream of texts into runs that are tokenised and sorted together.

    A run ends at WINDOW_TEXTS texts or WINDOW_CHARACTERS characters, whichever comes first; it
    has at least one text.
    """
    window: list[str] = []
    n_characters = 0
    for text in texts:
        if window and n_characters + len(text) > WINDOW_CHARACTERS:
            yield window
            window, n_characters = [], 0
        window.append(text)
        n_characters += len(text)
        if len(window) == WINDOW_TEXTS:
            yield window
            window, n_characters = [], 0
    if window:
        yield window


def one_ahead(function: Callable[[T], R], values: Iterable[T]) -> Iterator[R]:
    """Map in order, computing the next result in a thread while the caller uses the last one."""
    values = iter(values)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tokenise") as pool:
        pending = [pool.submit(function, value) for value in _first(values)]
        while pending:
            result = pending.pop().result()
            pending.extend(pool.submit(function, value) for value in _first(values))
            yield result


def _first(values: Iterator[T]) -> Iterator[T]:
    for value in values:
        yield value
        return


def batches(
    lengths: Sequence[int], *, max_tokens: int, max_rows: int | None, padded: bool
) -> Iterator[list[int]]:
    """Deal rows to forward passes, longest first, so that neighbours have like lengths.

    Args:
        lengths: Tokens of each row.
        max_tokens: Tokens of a forward pass, padding included; a longer row goes alone.
        max_rows: Rows of a forward pass; None for any number.
        padded: Whether every row of a pass costs as much as its longest.

    Returns:
        Row numbers; each row once. Rows of one length keep their order.
    """
    batch: list[int] = []
    n_tokens = 0
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        cost = lengths[batch[0]] if padded and batch else lengths[row]
        if batch and (n_tokens + cost > max_tokens or len(batch) == max_rows):
            yield batch
            batch, n_tokens, cost = [], 0, lengths[row]
        batch.append(row)
        n_tokens += cost
    if batch:
        yield batch
