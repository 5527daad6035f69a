"""What the recommenders that learn with torch share; import it inside functions only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from plmrec.recommenders.base import Arrays
from plmrec.types import FloatMatrix


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Give the same bits inside every time: random numbers from a seed, and one thread.

    Threads share sums among them, so that another number of them rounds otherwise. Torch's own
    generator and number of threads are afterwards as they were.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(n_threads)


def weights_of(module: nn.Module, prefix: str) -> Arrays:
    """Copy a module's weights, named ``prefix`` and their name in the module."""
    return {
        prefix + name: value.detach().numpy().copy() for name, value in module.state_dict().items()
    }


def set_weights(module: nn.Module, arrays: Arrays, prefix: str) -> None:
    """Copy into a module what ``weights_of`` gave; all weights, or torch raises RuntimeError."""
    found = {
        name.removeprefix(prefix): torch.from_numpy(np.array(array))
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    module.load_state_dict(found)


class Projection(nn.Module):
    """Two layers that bring frozen vectors of texts into the space of a recommender."""

    def __init__(self, d: int, hidden: int, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(d, hidden)
        self.outer = nn.Linear(hidden, width)

    def forward(self, vectors: Tensor) -> Tensor:
        """Project float32 (n, d) to (n, width)."""
        projected: Tensor = self.outer(functional.gelu(self.inner(vectors)))
        return projected

    @torch.inference_mode()
    def project(self, vectors: FloatMatrix) -> FloatMatrix:
        """The same for NumPy arrays."""
        projected: Any = self(torch.from_numpy(np.ascontiguousarray(vectors))).numpy()
        return np.asarray(projected, dtype=np.float32)


def projection_of(arrays: Arrays, prefix: str) -> Projection | None:
    """Rebuild a projection from its weights; None when they are not among the arrays."""
    inner, outer = arrays.get(f"{prefix}inner.weight"), arrays.get(f"{prefix}outer.weight")
    if inner is None or outer is None:
        return None
    projection = Projection(inner.shape[1], inner.shape[0], outer.shape[0])
    set_weights(projection, arrays, prefix)
    return projection


def softmax_loss(hidden: Tensor, items: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of the targets among all items.

    Args:
        hidden: float32 (n, width), what the next item should be like.
        items: float32 (n_items, width).
        targets: int64 (n,), rows of ``items``.
    """
    return functional.cross_entropy(hidden @ items.T, targets)


def sampled_softmax_loss(
    hidden: Tensor, items: Tensor, targets: Tensor, drawn: Tensor, log_expected: Tensor
) -> Tensor:
    """Mean cross-entropy of the targets, estimated from items drawn for all of them together.

    The sum over all other items is replaced by the drawn ones, each divided by how often it was
    expected to be drawn; its expectation is the sum itself. A drawn item that is the target does
    not count, for the target is there anyway.

    Args:
        hidden: float32 (n, width).
        items: float32 (n_items, width).
        targets: int64 (n,), rows of ``items``.
        drawn: int64 (m,), rows of ``items``.
        log_expected: float32 (m,), see ``Proposal.draw``.

    Source:
        Bengio and Senécal 2008, "Adaptive importance sampling to accelerate training of a neural
        probabilistic language model".
    """
    right = (hidden * functional.embedding(targets, items)).sum(dim=1, keepdim=True)
    others = hidden @ functional.embedding(drawn, items).T - log_expected
    others = others.masked_fill(targets[:, None] == drawn, float("-inf"))
    return (torch.logsumexp(torch.cat([right, others], dim=1), dim=1) - right[:, 0]).mean()


def info_nce_loss(
    states: Tensor, items: Tensor, targets: Tensor, others: Tensor, temperature: float
) -> Tensor:
    """Mean cross-entropy of the targets among themselves and some other items, by cosine.

    Args:
        states: float32 (n, width), unit rows.
        items: float32 (n_items, width), unit rows.
        targets: int64 (n,), rows of ``items``.
        others: int64 (m,), rows of ``items``; one that is the target does not count.
        temperature: What cosines are divided by, above 0.

    Source:
        Van den Oord, Li and Vinyals 2018, "Representation learning with contrastive predictive
        coding".
    """
    nothing = torch.zeros(len(others))
    scaled = states / temperature
    return sampled_softmax_loss(scaled, items, targets, others, nothing)
