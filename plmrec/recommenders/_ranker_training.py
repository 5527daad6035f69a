"""How the ranker is trained; import it inside functions only."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from plmrec.histories import Bools, Floats, Ints
from plmrec.recommenders._ranker_inputs import (
    N_USER_NUMBERS,
    Windows,
    batches,
    cut_windows,
    step_signs,
)
from plmrec.recommenders._ranker_lesson import Lesson, Read
from plmrec.recommenders._ranker_net import Net, one_thread
from plmrec.recommenders._torch import seeded

if TYPE_CHECKING:
    from plmrec.recommenders.ranker import Options

_WARM_UP = 10  # batches over which the average of the weights begins to look back
_GRADIENT_NORM = 1.0  # longer gradients are cut, or one odd history could spoil an LSTM


class _Reader:
    """Turns windows into logits."""

    def __init__(self, read: Read) -> None:
        histories = read.histories
        self.texts = torch.from_numpy(read.texts)
        self.signs = _float(step_signs(histories))
        self.numbers = _float(read.numbers)
        self.items = torch.from_numpy(histories.items)

    def entries(self, net: Net, windows: Windows) -> tuple[Ints, Tensor, Tensor]:
        """Entries to predict (k,), the states before them (k, width), their logits (k, n_tasks)."""
        places = torch.from_numpy(np.maximum(windows.entries, 0))
        states = net.read(self.texts[self.items[places]], self.signs[places])[:, :-1]
        targets = torch.from_numpy(windows.targets)
        entries, states = places[targets], states[targets]
        candidates = net.describe(self.texts[self.items[entries]])
        return entries.numpy(), states, net.judge(states, candidates, self.numbers[entries])


class _Teacher:
    """Says what a net's predictions of a lesson cost."""

    def __init__(self, lesson: Lesson, options: Options) -> None:
        histories = lesson.read.histories
        self.options = options
        self.reader = _Reader(lesson.read)
        self._item_numbers = _float(lesson.item_numbers)
        self._n_items, self._users = histories.n_items, histories.users
        self._met = np.sort(self._users * histories.n_items + histories.items)
        self._liked, self._shares = histories.is_positive, histories.watch_shares
        self._all_liked = bool(self._liked[lesson.learnt].all())

    def unmet(
        self, net: Net, entries: Ints, states: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Logits (k, drawn, n_tasks) of items drawn evenly, and which the user never met."""
        drawn = rng.integers(0, self._n_items, size=(len(entries), self.options.negatives))
        keys = self._users[entries][:, None] * self._n_items + drawn
        found = np.minimum(np.searchsorted(self._met, keys), len(self._met) - 1)
        is_unmet = torch.from_numpy(self._met[found] != keys)
        items = torch.from_numpy(drawn)
        mine = self.reader.numbers[entries, :N_USER_NUMBERS][:, None]
        numbers = [mine.expand(-1, drawn.shape[1], -1), self._item_numbers[items]]
        candidates = net.describe(self.reader.texts[items])
        return net.judge(states[:, None], candidates, torch.cat(numbers, dim=-1)), is_unmet

    def loss(self, net: Net, windows: Windows, rng: np.random.Generator) -> Tensor:
        """Sum of the tasks' losses over the entries to predict, divided by their number.

        Where everything was liked, items that were not met stand in for what was not liked.
        """
        entries, states, logits = self.reader.entries(net, windows)
        total = torch.zeros(())
        unmet: tuple[Tensor, Tensor] | None = None
        if self._all_liked or "click" in self.options.tasks:
            unmet = self.unmet(net, entries, states, rng)
        for place, task in enumerate(self.options.tasks):
            mine = logits[:, place]
            if task == "watch":
                total = total + _watch_loss(mine, self._shares, entries)
                continue
            happened = torch.ones(len(entries)) if task == "click" else _float(self._liked[entries])
            total = total + functional.binary_cross_entropy_with_logits(mine, happened)
            if unmet is not None and (task == "click" or self._all_liked):
                costs = functional.softplus(unmet[0][..., place]) * unmet[1]
                total = total + costs.sum() / len(entries)
        return total


def _watch_loss(logits: Tensor, shares: Floats | None, entries: Ints) -> Tensor:
    """Squared error of the predicted watch share, over all entries; unknown ones cost nothing."""
    if shares is None:
        return torch.zeros(())
    known = torch.from_numpy(np.isfinite(shares[entries]))
    wanted = _float(np.nan_to_num(shares[entries]))
    return ((torch.sigmoid(logits) - wanted).square() * known).mean()


def train(lesson: Lesson, options: Options) -> Net:
    """Descend until the averaged weights predict the checked entries no better.

    The weights kept are a running average over batches, which predicts better than the last ones.

    Source:
        Kingma and Ba 2015, "Adam", with Loshchilov and Hutter 2019, "Decoupled weight decay
        regularization"; averaging after Polyak and Juditsky 1992.
    """
    read = lesson.read
    windows = cut_windows(read.histories, lesson.learnt, options.max_history)
    checks = cut_windows(read.histories, lesson.checked, options.max_history)
    rng = np.random.default_rng(options.seed)
    with seeded(options.seed), one_thread():
        net = Net(read.texts.shape[1], options)
        teacher = _Teacher(lesson, options)
        average = copy.deepcopy(net)
        steps = torch.optim.AdamW(
            net.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        best, lowest, worse, n_steps = average, np.inf, 0, 0
        for _ in range(options.epochs if windows else 0):
            net.train()
            for some in batches(windows, options.batch_entries, rng):
                steps.zero_grad()
                teacher.loss(net, some, rng).backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(net.parameters(), _GRADIENT_NORM)
                steps.step()
                n_steps += 1
                _follow(average, net, min(options.averaging, n_steps / (n_steps + _WARM_UP)))
            found = _check(teacher, average, checks)
            worse = worse + 1 if found >= lowest else 0
            if found < lowest or not checks:
                best, lowest = copy.deepcopy(average), found
            if worse >= options.patience and checks:
                break
    return best.eval()


@torch.no_grad()
def _follow(average: Net, net: Net, keep: float) -> None:
    """Move averaged weights towards the latest, keeping a share of what they were."""
    for mean, latest in zip(average.parameters(), net.parameters(), strict=True):
        mean.lerp_(latest, 1.0 - keep)


@torch.inference_mode()
def _check(teacher: _Teacher, net: Net, checks: list[Windows]) -> float:
    """Loss over the entries that tell when to stop; the same unmet items each time."""
    net.eval()
    rng = np.random.default_rng(teacher.options.seed)
    total, n = 0.0, 0
    for some in batches(checks, teacher.options.batch_entries):
        here = int(some.targets.sum())
        total += float(teacher.loss(net, some, rng)) * here
        n += here
    return total / max(n, 1)


@torch.inference_mode()
def predict(net: Net, read: Read, wanted: Bools, options: Options) -> Floats:
    """Logits of some entries from what came before each: float64 (n, n_tasks), nan elsewhere."""
    reader = _Reader(read)
    found = np.full((len(wanted), len(options.tasks)), np.nan)
    windows = cut_windows(read.histories, wanted, options.max_history)
    with one_thread():
        for some in batches(windows, options.batch_entries):
            entries, _, logits = reader.entries(net, some)
            found[entries] = logits.numpy()
    return found


def _float(array: Floats | Bools) -> Tensor:
    """A float32 tensor."""
    return torch.from_numpy(np.asarray(array, dtype=np.float32))
