"""How the text tower is trained; import it inside functions only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn import functional

from plmrec.histories import Histories
from plmrec.recommenders._torch import Projection, info_nce_loss, seeded
from plmrec.types import FloatMatrix

if TYPE_CHECKING:
    from plmrec.recommenders.text_tower import Options


class SparseProduct(torch.autograd.Function):
    """A fixed sparse matrix times a dense one; scipy sums each row in one order."""

    @staticmethod
    def forward(ctx: Any, dense: Tensor, matrix: sp.csr_matrix, other: sp.csr_matrix) -> Tensor:
        """``matrix @ dense``; ``other`` is the matrix transposed."""
        ctx.other = other
        return torch.from_numpy(matrix @ dense.numpy())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """``matrix.T @ gradient``."""
        return torch.from_numpy(ctx.other @ gradients[0].contiguous().numpy()), None, None


def multiply(dense: Tensor, matrix: sp.csr_matrix, transposed: sp.csr_matrix) -> Tensor:
    """``matrix @ dense``, through which gradients pass."""
    product: Tensor = SparseProduct.apply(dense, matrix, transposed)  # type: ignore[no-untyped-call]
    return product


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """Users and items, joined where a history holds an item.

    A step takes a value from items to their users and back: with d items of user u and D users of
    item i, the edge between them weighs ``1 / sqrt(d D)``.

    Attributes:
        to_users: float32 CSR (n_users, n_items), weights of the edges.
        to_items: The same, transposed.
    """

    to_users: sp.csr_matrix
    to_items: sp.csr_matrix

    @classmethod
    def of(cls, read: Histories) -> Graph:
        """The graph of all entries, each counting 1."""
        edges = read.matrix(np.ones(len(read.items)))
        n_items = np.maximum(np.diff(edges.indptr), 1)
        n_users = np.maximum(np.bincount(read.items, minlength=read.n_items), 1)
        edges.data /= np.sqrt(n_items[read.users] * n_users[read.items]).astype(np.float32)
        return cls(to_users=edges, to_items=edges.T.tocsr())

    def propagate(self, items: Tensor, steps: int) -> Tensor:
        """Mean of the items' vectors after 0 to ``steps`` steps to their users and back.

        Args:
            items: float32 (n_items, width).
            steps: Of the walk; 0 gives ``items``.

        Source:
            He et al. 2020, "LightGCN: simplifying and powering graph convolution network for
            recommendation"; a step here is two of its layers.
        """
        total = layer = items
        for _ in range(steps):
            users = multiply(layer, self.to_users, self.to_items)
            layer = multiply(users, self.to_items, self.to_users)
            total = total + layer
        return total / (steps + 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tower:
    """What was learnt.

    Attributes:
        projection: From texts to the space of the tower.
        items: float32 (n_items, width), unit rows: projected, propagated, normalised.
    """

    projection: Projection
    items: FloatMatrix


def train(read: Histories, texts: FloatMatrix, options: Options) -> Tower:
    """Learn to tell each user's items from others by the mean of the user's remaining items.

    Args:
        read: Histories over the items.
        texts: float32 (n_items, d), see ``read_texts``.
        options: Of the backend.

    Source:
        Sheng, Zhang, Zhang, Chen, Wang and Chua 2024, "Language representations can be what
        recommenders need: findings and potentials", with users as means of their items' vectors.
    """
    rng = np.random.default_rng(options.seed)
    frozen, graph = torch.from_numpy(texts), Graph.of(read)
    users = np.flatnonzero(np.diff(read.indptr) > 1)
    entries = np.flatnonzero(np.isin(read.users, users))
    known = np.flatnonzero(np.bincount(read.items, minlength=read.n_items))
    with seeded(options.seed):
        projection = Projection(texts.shape[1], options.hidden, options.width)
        optimiser = torch.optim.AdamW(
            projection.parameters(),
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
        )
        n_steps = min(options.max_steps, options.epochs * -(-len(entries) // options.batch_size))
        order = Shuffled(entries, rng)
        for _ in range(n_steps):
            items = graph.propagate(projection(frozen), options.steps)
            items = functional.normalize(items, dim=1)
            batch = order.take(options.batch_size)
            others = rng.choice(known, size=min(options.n_negatives, len(known)), replace=False)
            states, targets = rest_of_users(items, read, batch)
            optimiser.zero_grad()
            loss = info_nce_loss(
                states, items, targets, torch.from_numpy(others), options.temperature
            )
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.inference_mode():
            final = graph.propagate(projection(frozen), options.steps)
            vectors: FloatMatrix = functional.normalize(final, dim=1).numpy()
    return Tower(projection=projection, items=vectors)


@dataclass(slots=True, eq=False)
class Shuffled:
    """Entries in random order, over and over, each once per pass.

    Attributes:
        entries: int64 (n,).
        rng: Of the order.
        left: Those of this pass that were not taken yet.
    """

    entries: np.ndarray
    rng: np.random.Generator
    left: np.ndarray | None = None

    def take(self, n: int) -> np.ndarray:
        """The next ``n`` entries, fewer at the end of a pass."""
        if self.left is None or not len(self.left):
            self.left = self.rng.permutation(self.entries)
        taken, self.left = self.left[:n], self.left[n:]
        return taken


def rest_of_users(items: Tensor, read: Histories, entries: np.ndarray) -> tuple[Tensor, Tensor]:
    """What each entry's user is like without it: the mean of the user's other items, length 1.

    Args:
        items: float32 (n_items, width).
        read: Rows of at least two entries.
        entries: int64 (n,), entries of ``read``.

    Returns:
        float32 (n, width), and int64 (n,) the entries' items.
    """
    rows, row_of = np.unique(read.users[entries], return_inverse=True)
    taken = read.take(rows)
    totals = functional.embedding_bag(
        torch.from_numpy(taken.items), items, torch.from_numpy(taken.indptr[:-1]), mode="sum"
    )
    targets = torch.from_numpy(read.items[entries])
    rest = totals[torch.from_numpy(row_of)] - functional.embedding(targets, items)
    return functional.normalize(rest, dim=1), targets
