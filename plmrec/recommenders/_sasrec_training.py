"""How the self-attentive recommender is trained; import it inside functions only."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from plmrec.histories import Bools, Histories, Ints
from plmrec.recommenders._attention import Reader, last_states
from plmrec.recommenders._sequences import Proposal, cut_windows, make_batches, pad, shuffle_ties
from plmrec.recommenders._torch import Projection, sampled_softmax_loss, seeded, softmax_loss
from plmrec.types import FloatMatrix

if TYPE_CHECKING:
    from plmrec.recommenders.sasrec import Options

_BATCHES_PER_ROUND: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """What is learnt from.

    Attributes:
        read: Histories over the known items only.
        wanted: (n,), True where an entry is to be predicted; never the first of a row.
        texts: float32 (n_items, d), see ``read_texts``; d is 0 without texts.
    """

    read: Histories
    wanted: Bools
    texts: FloatMatrix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Windows of like length, padded on the right.

    Attributes:
        items: int64 (n, length).
        kinds: int64 (n, length), see Reader.
        wanted: (n, length), True where the entry is to be predicted.
    """

    items: Ints
    kinds: Ints
    wanted: Bools


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Holdout:
    """The last wanted entries of some users, which tell when to stop.

    Attributes:
        read: What those users did before.
        targets: int64 (n_users,), the item that came next.
    """

    read: Histories
    targets: Ints


class ItemTable(nn.Module):
    """Vectors of items: one learnt per item, one projected from its text, or the sum of both.

    Without texts there are the learnt ones only.
    """

    def __init__(self, lesson: Lesson, options: Options) -> None:
        super().__init__()
        n_items, d = lesson.texts.shape
        self.id_dropout = options.id_dropout
        self.texts = torch.from_numpy(lesson.texts)
        self.ids: nn.Embedding | None = None
        self.projection: Projection | None = None
        if options.items != "id" and d:
            self.projection = Projection(d, options.hidden, options.width)
            nn.init.normal_(self.projection.outer.weight, std=1.0 / options.width)
        if options.items != "text" or self.projection is None:
            self.ids = nn.Embedding(n_items, options.width)
            nn.init.normal_(self.ids.weight, std=1.0 / options.width)

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors of some items, float32 (n, width)."""
        parts: list[Tensor] = []
        if self.projection is not None:
            parts.append(self.projection(self.texts[rows]))
        if self.ids is not None:
            learnt = self.ids(rows)
            if parts and self.training and self.id_dropout:
                learnt = learnt * (torch.rand(len(rows), 1) >= self.id_dropout)
            parts.append(learnt)
        return torch.stack(parts).sum(dim=0)


class Learner(nn.Module):
    """A reader and a table of items, learnt together."""

    def __init__(self, lesson: Lesson, options: Options) -> None:
        super().__init__()
        self.options = options
        self.n_items = lesson.read.n_items
        self.reader = build_reader(options)
        self.table = ItemTable(lesson, options)
        self.proposal: Proposal | None = None
        if self.n_items > options.full_softmax_up_to:
            targets = lesson.read.items[lesson.wanted]
            self.proposal = Proposal.of_counts(np.bincount(targets, minlength=self.n_items) + 1)

    def loss(self, batch: Batch, rng: np.random.Generator) -> Tensor:
        """Loss of one batch, against all items or, among many, against some that are drawn."""
        rows, drawn, log_expected = np.arange(self.n_items), np.zeros(0, np.int64), np.zeros(0)
        if self.proposal is not None:
            drawn, log_expected = self.proposal.draw(self.options.n_negatives, rng)
            rows = np.unique(np.concatenate([drawn, batch.items.ravel()]))
        row_of = np.zeros(self.n_items, dtype=np.int64)
        row_of[rows] = np.arange(len(rows))
        items = self.table(torch.from_numpy(rows))
        sequences = torch.from_numpy(row_of[batch.items])
        wanted = torch.from_numpy(batch.wanted[:, 1:])
        states = self.reader(
            functional.embedding(sequences[:, :-1], items), torch.from_numpy(batch.kinds[:, :-1])
        )[wanted]
        targets = sequences[:, 1:][wanted]
        if self.proposal is None:
            return softmax_loss(states, items, targets)
        expected = torch.from_numpy(log_expected.astype(np.float32))
        return sampled_softmax_loss(
            states, items, targets, torch.from_numpy(row_of[drawn]), expected
        )

    @torch.inference_mode()
    def vectors(self) -> FloatMatrix:
        """Vectors of all items, float32 (n_items, width)."""
        self.eval()
        found: FloatMatrix = self.table(torch.arange(self.n_items)).numpy()
        return found

    def measure(self, holdout: Holdout) -> float:
        """Mean of ``1 / log2(rank + 2)`` of the held-out items, unseen ones competing."""
        items = self.vectors()
        states = last_states(self.reader, items, holdout.read)
        scores = (torch.from_numpy(states) @ torch.from_numpy(items).T).numpy()
        scores[holdout.read.seen()] = -np.inf
        right = scores[np.arange(len(scores)), holdout.targets]
        ranks = (scores > right[:, None]).sum(axis=1)
        return float((1.0 / np.log2(ranks + 2.0)).mean())


def build_reader(options: Options) -> Reader:
    """A reader of the form the options say, with random weights."""
    return Reader(
        width=options.width,
        layers=options.layers,
        heads=options.heads,
        dropout=options.dropout,
        length=options.max_length,
    )


def make_epoch(lesson: Lesson, options: Options, rng: np.random.Generator) -> Iterator[Batch]:
    """Cut all histories into batches, another way each time."""
    read, order = lesson.read, shuffle_ties(lesson.read, rng)
    entries = read.items[order]
    wanted, kinds = lesson.wanted[order].astype(np.int64), read.is_positive[order].astype(np.int64)
    starts, stops = cut_windows(read.indptr, options.max_length, rng)
    for rows in make_batches(stops - starts, options.batch_entries, rng):
        first, last = starts[rows], stops[rows]
        mask = pad(wanted, first, last, 0) == 1
        if mask[:, 1:].any():
            items, liked = pad(entries, first, last, 0), pad(kinds, first, last, 0)
            yield Batch(items=items, kinds=liked, wanted=mask)


def make_round(lesson: Lesson, options: Options, rng: np.random.Generator) -> Iterator[Batch]:
    """One pass over the histories, or as many as give enough batches to be worth a check."""
    n_batches = 0
    while n_batches < _BATCHES_PER_ROUND:
        before = n_batches
        for batch in make_epoch(lesson, options, rng):
            n_batches += 1
            yield batch
        if n_batches == before:
            return


def hold_out(lesson: Lesson, n_users: int, rng: np.random.Generator) -> tuple[Lesson, Holdout]:
    """Set aside the last wanted entry of some users, and what they did after it.

    Args:
        lesson: Everything.
        n_users: Users to draw, at most half of those with a wanted entry.
        rng: Of the draw.
    """
    read = lesson.read
    places = np.flatnonzero(lesson.wanted)
    users = read.users[places]
    last = places[np.append(users[1:] != users[:-1], True)] if len(places) else places
    last = np.sort(rng.permutation(last)[: min(n_users, len(last) // 2)])
    rows = read.users[last]
    limits = np.full(read.n_users, len(read.items))
    limits[rows] = last
    kept = np.arange(len(read.items)) < limits[read.users]
    rest = Lesson(read=read.keep(kept), wanted=lesson.wanted[kept], texts=lesson.texts)
    return rest, Holdout(read=rest.read.take(rows), targets=read.items[last])


def train(lesson: Lesson, options: Options) -> Learner:
    """Train until held-out items are no longer found better, and go back to the best.

    What is measured and kept is a running average of the weights, which varies less from one pass
    to the next than the weights themselves.

    Returns:
        The learner; as it was drawn at random when there is nothing to predict.

    Source:
        Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging".
    """
    rng = np.random.default_rng(options.seed)
    rest, holdout = hold_out(lesson, options.holdout_users, rng)
    with seeded(options.seed):
        learner = Learner(rest, options)
        average = copy.deepcopy(learner)
        best = copy.deepcopy(learner.state_dict())
        optimiser = torch.optim.AdamW(
            learner.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        patience, steps = Patience(options.patience), 0
        for _ in range(options.epochs):
            learner.train()
            batches = make_round(rest, options, rng)
            for batch in itertools.islice(batches, options.max_steps - steps):
                optimiser.zero_grad()
                learner.loss(batch, rng).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                steps += 1
                follow(average, learner, min(options.averaging, steps / (steps + 10)))
            if patience.is_better(average.measure(holdout) if len(holdout.targets) else steps):
                best = copy.deepcopy(average.state_dict())
            if patience.is_over or steps == options.max_steps:
                break
    average.load_state_dict(best)
    return average


@dataclass(slots=True)
class Patience:
    """Counts how often in a row a measure was no better than its best.

    Attributes:
        limit: Times after which patience is over.
        best: Highest measure so far.
        waited: Times since then.
    """

    limit: int
    best: float = -np.inf
    waited: int = 0

    def is_better(self, measure: float) -> bool:
        """Take note of a measure; True when it is the best so far."""
        self.waited = 0 if measure > self.best else self.waited + 1
        self.best = max(self.best, measure)
        return self.waited == 0

    @property
    def is_over(self) -> bool:
        """True when it waited as often as the limit."""
        return self.waited >= self.limit


@torch.no_grad()
def follow(average: nn.Module, module: nn.Module, keep: float) -> None:
    """Move the weights of ``average`` towards those of ``module``, keeping a share of them."""
    for slow, fast in zip(average.parameters(), module.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - keep)
