"""How a text's token states become one vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import torch

Pooling: TypeAlias = Literal["mean", "cls", "last", "max", "weightedmean", "mean_sqrt_len"]


def pool(hidden: torch.Tensor, mask: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Reduce token states to vectors.

    ``mean``, ``max``: over the tokens; ``cls``, ``last``: the first or last token;
    ``weightedmean``: token i counts i times, as later tokens of a decoder have read more
    (Muennighoff 2022, "SGPT: GPT Sentence Embeddings for Semantic Search");
    ``mean_sqrt_len``: the sum over the square root of the number of tokens.

    Args:
        hidden: float32, shape (n, length, dim), padded on the right.
        mask: Shape (n, length), 1 for tokens and 0 for padding; at least one token a row.
        pooling: One of the above.

    Returns:
        float32, shape (n, dim).
    """
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        return hidden[range(len(hidden)), mask.sum(dim=1) - 1]
    if pooling == "max":
        return hidden.masked_fill(mask[:, :, None] == 0, float("-inf")).amax(dim=1)
    weights = mask[:, :, None].to(hidden.dtype)
    if pooling == "weightedmean":
        weights = weights * weights.cumsum(dim=1)
    total = (hidden * weights).sum(dim=1)
    n_tokens = weights.sum(dim=1)
    return total / (n_tokens.sqrt() if pooling == "mean_sqrt_len" else n_tokens)
