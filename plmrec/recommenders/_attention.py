"""A causal transformer over sequences of item vectors; import it inside functions only."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from plmrec.histories import Histories
from plmrec.recommenders._sequences import make_batches, pad
from plmrec.types import FloatMatrix

_ENTRIES: Final = 4_096  # read at once when scoring; more would be padded to the longest


class Block(nn.Module):
    """Causal self-attention and a feed-forward layer, each normalised before and added after."""

    def __init__(self, width: int, heads: int, dropout: float, length: int) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.before_attention = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.distance = nn.Parameter(torch.zeros(heads, length))
        self.before_feed = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, states: Tensor, behind: Tensor) -> Tensor:
        """Let each place look back.

        Args:
            states: float32 (n, length, width).
            behind: int64 (length, length), how far column j lies behind row i; below 0 ahead.

        Returns:
            float32 (n, length, width).
        """
        n, length, width = states.shape
        parts = self.queries_keys_values(self.before_attention(states))
        parts = parts.view(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        queries, keys, values = parts[0], parts[1], parts[2]
        bias = self.distance[:, behind.clamp(min=0)].masked_fill(behind < 0, float("-inf"))
        logits = queries @ keys.transpose(2, 3) / math.sqrt(width // self.heads) + bias
        looks = functional.dropout(logits.softmax(dim=3), self.dropout, self.training)
        mixed = self.mix((looks @ values).transpose(1, 2).reshape(n, length, width))
        states = states + functional.dropout(mixed, self.dropout, self.training)
        fed = self.narrow(functional.gelu(self.widen(self.before_feed(states))))
        return states + functional.dropout(fed, self.dropout, self.training)


class Reader(nn.Module):
    """Reads a sequence and says, at each place, what the next item should be like.

    Sequences are padded on the right. A place looks at itself and what lies behind it only, so
    neither padding nor later items change what it says.

    Source:
        Kang and McAuley 2018, "Self-attentive sequential recommendation"; a learnt bias per
        distance instead of a vector per place as in Raffel et al. 2020, "Exploring the limits of
        transfer learning with a unified text-to-text transformer".
    """

    def __init__(self, *, width: int, layers: int, heads: int, dropout: float, length: int) -> None:
        super().__init__()
        self.length = length
        self.dropout = dropout
        self.kinds = nn.Parameter(torch.zeros(2, width))
        self.blocks = nn.ModuleList(Block(width, heads, dropout, length) for _ in range(layers))
        self.after = nn.LayerNorm(width)

    def forward(self, items: Tensor, kinds: Tensor) -> Tensor:
        """Read sequences.

        Args:
            items: float32 (n, length, width), vector of the item at each place.
            kinds: int64 (n, length), 1 where the user liked the item, 0 elsewhere.

        Returns:
            float32 (n, length, width).
        """
        states = items * math.sqrt(items.shape[2]) + functional.embedding(kinds, self.kinds)
        states = functional.dropout(states, self.dropout, self.training)
        places = torch.arange(items.shape[1])
        behind = places[:, None] - places
        for block in self.blocks:
            states = block(states, behind)
        read: Tensor = self.after(states)
        return read


@torch.inference_mode()
def last_states(reader: Reader, items: FloatMatrix, read: Histories) -> FloatMatrix:
    """What the reader says after the last entry of each row.

    Args:
        reader: Its length says how many of the last entries are read.
        items: float32 (n_items, width).
        read: n_users rows over these items, none of them empty.

    Returns:
        float32 (n_users, width).
    """
    reader.eval()
    table = torch.from_numpy(items)
    kinds = read.is_positive.astype(np.int64)
    stops = read.indptr[1:]
    starts = np.maximum(read.indptr[:-1], stops - reader.length)
    found = np.zeros((read.n_users, items.shape[1]), dtype=np.float32)
    for rows in make_batches(stops - starts, _ENTRIES):
        first, last = starts[rows], stops[rows]
        sequences = torch.from_numpy(pad(read.items, first, last, 0))
        liked = torch.from_numpy(pad(kinds, first, last, 0))
        states = reader(functional.embedding(sequences, table), liked)
        found[rows] = states[torch.arange(len(rows)), torch.from_numpy(last - first - 1)]
    return found
