"""BERT and RoBERTa on texts laid end to end, without padding.

Everything but attention treats each token by itself, so the tokens of all texts form one matrix
with no padding in it; attention runs once for each group of texts of one length. Matrices are
multiplied in the chosen precision; embeddings, softmax, means and variances stay in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

    from plmrec.encoders._padded import States

_ROWS: Final = 32  # numbers of tokens are rounded up to a multiple of it, beyond the first
# Kinds whose layers are BERT's; the second group counts positions from its padding token's id.
_FROM_ZERO: Final = {"bert"}
_FROM_PADDING: Final = {"roberta", "xlm-roberta", "camembert"}


def can_pack(config: Mapping[str, Any]) -> bool:
    """Tell from a model's config.json whether PackedBert computes what the model does."""
    return (
        config.get("model_type") in _FROM_ZERO | _FROM_PADDING
        and config.get("hidden_act", "gelu") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
        and not config.get("add_cross_attention")
    )


class PackedBert:
    """The weights of a loaded model, arranged for packed texts."""

    padded = False

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        """Take over a model's weights.

        Args:
            model: A float32 module of the transformers library for which ``can_pack`` holds.
            dtype: Of the matrix products and of what flows between them.
        """
        import torch

        config, words = model.config, model.embeddings
        self._dtype = dtype
        self._heads = config.num_attention_heads
        self._pad_id = config.pad_token_id if config.model_type in _FROM_PADDING else None
        self._words = words.word_embeddings.weight.detach()
        self._positions = (
            words.position_embeddings.weight + words.token_type_embeddings.weight[0]
        ).detach()
        self._embedded = _Norm(words.LayerNorm, torch.float32)
        self._layers = [_Layer(layer, dtype) for layer in model.encoder.layer]

    def states(self, batch: Sequence[Sequence[int]]) -> Iterator[States]:
        """Compute the last hidden states; see PaddedModel.states.

        Args:
            batch: Token ids of n >= 1 texts; texts of one length stand together, or else they
                are computed in smaller groups.
        """
        import torch

        groups = [
            [row for row, _ in found] for _, found in groupby(enumerate(batch), lambda x: len(x[1]))
        ]
        shapes = [(len(rows), len(batch[rows[0]])) for rows in groups]
        tokens = self._embed(batch)
        for layer in self._layers:
            tokens = layer(tokens, shapes, self._heads)
        n_tokens = [n * length for n, length in shapes]
        parts = torch.split(tokens[: sum(n_tokens)], n_tokens)
        for rows, shape, part in zip(groups, shapes, parts, strict=True):
            mask = torch.ones(shape, dtype=torch.long, device=part.device)
            yield rows, part.float().view(*shape, -1), mask

    def _embed(self, batch: Sequence[Sequence[int]]) -> torch.Tensor:
        """Embed all tokens of a batch, shape (n_tokens rounded up, dim).

        The rows beyond the tokens are never looked at. Products are compiled for each number of
        rows that occurs, which costs time and memory.
        """
        import torch

        n_tokens = sum(map(len, batch))
        fill = np.zeros(-n_tokens % _ROWS if n_tokens > _ROWS else 0, dtype=np.int64)
        ids = np.concatenate([*(np.asarray(ids, dtype=np.int64) for ids in batch), fill])
        places = np.concatenate([*(self._places(ids) for ids in batch), fill])
        device = self._words.device
        words = self._words[torch.from_numpy(ids).to(device)]
        positions = self._positions[torch.from_numpy(places).to(device)]
        return self._embedded(words + positions).to(self._dtype)

    def _places(self, ids: Sequence[int]) -> npt.NDArray[np.int64]:
        """Row of the position embeddings for each token."""
        if self._pad_id is None:
            return np.arange(len(ids))
        is_token = np.asarray(ids) != self._pad_id  # RoBERTa: the word "<pad>" in a text has none
        return np.asarray(np.cumsum(is_token) * is_token + self._pad_id)


class _Layer:
    """One layer: attention and two dense steps, each followed by a sum and a norm."""

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        import torch

        attention = layer.attention.self
        parts = (attention.query, attention.key, attention.value)
        self._qkv = (
            torch.cat([part.weight for part in parts]).detach().to(dtype),
            torch.cat([part.bias for part in parts]).detach().to(dtype),
        )
        self._mixed = _dense(layer.attention.output.dense, dtype)
        self._mixed_norm = _Norm(layer.attention.output.LayerNorm, dtype)
        self._wide = _dense(layer.intermediate.dense, dtype)
        self._narrow = _dense(layer.output.dense, dtype)
        self._narrow_norm = _Norm(layer.output.LayerNorm, dtype)

    def __call__(
        self, tokens: torch.Tensor, shapes: Sequence[tuple[int, int]], heads: int
    ) -> torch.Tensor:
        """Tokens (n_tokens, dim) of texts of these (number, length), one group after another."""
        from torch.nn.functional import gelu, linear

        seen = self._attend(linear(tokens, *self._qkv), shapes, heads)
        tokens = self._mixed_norm(tokens + linear(seen, *self._mixed))
        wide = gelu(linear(tokens, *self._wide))
        return self._narrow_norm(tokens + linear(wide, *self._narrow))

    def _attend(
        self, qkv: torch.Tensor, shapes: Sequence[tuple[int, int]], heads: int
    ) -> torch.Tensor:
        """Let the tokens of each text look at one another; qkv has shape (n_tokens, 3 dim)."""
        from torch.nn.functional import scaled_dot_product_attention

        width = qkv.shape[1] // 3
        seen = qkv.new_zeros(len(qkv), width)
        start = 0
        for n, length in shapes:
            stop = start + n * length
            split = qkv[start:stop].view(n, length, 3, heads, width // heads)
            query, key, value = split.permute(2, 0, 3, 1, 4)
            found = scaled_dot_product_attention(query, key, value)
            seen[start:stop].view(n, length, heads, -1).copy_(found.transpose(1, 2))
            start = stop
        return seen


class _Norm:
    """Layer normalisation; mean and variance are taken in float32 whatever the precision."""

    def __init__(self, norm: Any, dtype: torch.dtype) -> None:
        self._parameters = (norm.weight.detach().to(dtype), norm.bias.detach().to(dtype))
        self._eps = norm.eps

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import layer_norm

        return layer_norm(tokens, tokens.shape[-1:], *self._parameters, eps=self._eps)


def _dense(linear: Any, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    return linear.weight.detach().to(dtype), linear.bias.detach().to(dtype)
