"""The ranker's network, and how it reads windows of histories; import it inside functions only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from plmrec.histories import Floats, Histories
from plmrec.recommenders._ranker_inputs import (
    N_NUMBERS,
    N_SIGNS,
    N_USER_NUMBERS,
    last_entries,
    step_signs,
)
from plmrec.types import FloatMatrix

if TYPE_CHECKING:
    from plmrec.recommenders.ranker import Options

_USERS: Final = 256  # whose histories are read at once


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread inside: its small steps cost less than handing them out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Net(nn.Module):
    """Texts of a history -> LSTM -> dense layer with a candidate's text -> one logit per task.

    The dense layer is a sum of a part of the user, a part of the item and a part of the product of
    both, so that all items of a catalogue are scored for a user by a few matrix products. The
    numbers about user and item also lead straight to the logits, as a logistic regression's do.
    """

    def __init__(self, d: int, options: Options) -> None:
        super().__init__()
        width, hidden, n_tasks = options.width, options.hidden, len(options.tasks)
        self.scale = float(np.sqrt(d))  # brings the entries of unit vectors to variance 1
        self.text = nn.Linear(d, width)
        self.lstm = nn.LSTM(width + N_SIGNS, width, batch_first=True)
        self.start = nn.Parameter(torch.zeros(width))
        self.candidate = nn.Linear(d, width)
        self.of_user = nn.Linear(width, hidden)
        self.of_item = nn.Linear(width, hidden, bias=False)
        self.of_both = nn.Linear(width, hidden, bias=False)
        self.of_numbers = nn.Linear(N_NUMBERS, hidden, bias=False)
        self.dropout = nn.Dropout(options.dropout)
        self.heads = nn.Linear(hidden, n_tasks)
        self.straight = nn.Linear(N_NUMBERS, n_tasks, bias=False)

    def read(self, texts: Tensor, signs: Tensor) -> Tensor:
        """States before the first and after each step.

        Args:
            texts: float32 (n, length, d), of the steps' items.
            signs: float32 (n, length, N_SIGNS), see ``step_signs``.

        Returns:
            float32 (n, length + 1, width).
        """
        steps = torch.cat([torch.tanh(self.text(texts * self.scale)), signs], dim=-1)
        first = self.start.expand(len(texts), 1, -1)
        if not texts.shape[1]:
            return first  # an LSTM refuses to run for no steps
        return torch.cat([first, self.lstm(steps)[0]], dim=1)

    def describe(self, texts: Tensor) -> Tensor:
        """Candidates (..., d) as (..., width)."""
        described: Tensor = self.dropout(torch.tanh(self.candidate(texts * self.scale)))
        return described

    def judge(self, states: Tensor, candidates: Tensor, numbers: Tensor) -> Tensor:
        """Logits (..., n_tasks) of candidates for users in some states.

        Args:
            states: float32 (..., width), see ``read``.
            candidates: float32 (..., width), see ``describe``.
            numbers: float32 (..., N_NUMBERS), standardised.
        """
        states = self.dropout(states)
        dense = self.of_user(states) + self.of_item(candidates)
        dense = dense + self.of_both(states * candidates) + self.of_numbers(numbers)
        logits: Tensor = self.heads(self.dropout(functional.relu(dense))) + self.straight(numbers)
        return logits

    def judge_all(self, state: Tensor, described: Described, numbers: Tensor) -> Tensor:
        """What ``judge`` says of every item for one user: (n_items, n_tasks).

        Args:
            state: float32 (width,).
            described: The items.
            numbers: float32 (N_USER_NUMBERS,), standardised.
        """
        mine, straight = self.of_numbers.weight, self.straight.weight
        user = self.of_user(state) + mine[:, :N_USER_NUMBERS] @ numbers
        both = described.candidates @ (self.of_both.weight * state).T
        logits: Tensor = self.heads(functional.relu(both + described.dense + user))
        return logits + described.straight + straight[:, :N_USER_NUMBERS] @ numbers


class Described:
    """Items of a catalogue, as far as the net can go without a user."""

    def __init__(self, net: Net, texts: Tensor, numbers: Tensor) -> None:
        self.candidates = net.describe(texts)
        mine, straight = net.of_numbers.weight, net.straight.weight
        self.dense = net.of_item(self.candidates) + numbers @ mine[:, N_USER_NUMBERS:].T
        self.straight = numbers @ straight[:, N_USER_NUMBERS:].T


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What is known besides histories.

    Attributes:
        users: float64 (n_users, N_USER_NUMBERS), standardised.
        items: float64 (n_items, rest of N_NUMBERS), standardised.
        texts: float32 (n_items, d).
    """

    users: Floats
    items: Floats
    texts: FloatMatrix


@torch.inference_mode()
def score_items(net: Net, histories: Histories, known: Known, length: int) -> list[Floats]:
    """Logits of all items, one array per user.

    Args:
        net: Trained.
        histories: n_users rows.
        known: Of the same users and items.
        length: Last entries of a history that are read.

    Returns:
        float64 (n_items, n_tasks), one per user.
    """
    texts, numbers = torch.from_numpy(known.texts), _float(known.users)
    described = Described(net, texts, _float(known.items))
    found = []
    with one_thread():
        for start in range(0, histories.n_users, _USERS):
            some = histories.block(start, start + _USERS)
            entries, counts = last_entries(some, length)
            places = np.maximum(entries, 0)
            signs = _float(step_signs(some))
            states = net.read(texts[torch.from_numpy(some.items[places])], signs[places])
            last = states[torch.arange(len(counts)), torch.from_numpy(counts)]
            for row, state in enumerate(last):
                logits = net.judge_all(state, described, numbers[start + row])
                found.append(logits.double().numpy())
    return found


def _float(array: Floats) -> Tensor:
    """A float32 tensor."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
