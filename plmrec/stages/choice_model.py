"""Weights of the parts of a blend, from what users chose among what they could have chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from plmrec.histories import Bools, Floats, Histories, Ints
from plmrec.recommenders.blend import Blend
from plmrec.splits import Split
from plmrec.stages.scoring import row_blocks
from plmrec.types import FloatMatrix

_HEAD: Final = 30  # best items of each part among which choices are explained
_OTHERS: Final = 200  # items drawn evenly from all others, which stand for them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choices:
    """What users chose, each with the items it was chosen from.

    Attributes:
        features: float32 (n, n_parts), standardised scores of an item by every part; the items of
            one user follow each other.
        starts: int64 (n_users,), row of ``features`` where each user begins.
        chosen: float64 (n,), share of the user's choices that fell on the item; 1 per user.
        stands_for: float64 (n,), items of the catalogue that this one stands for.
        contexts: int8 (n_users,), see ``Blend.contexts``.
        weights: float64 (n_users,), how much each user counts.
    """

    features: FloatMatrix
    starts: Ints
    chosen: Floats
    stands_for: Floats
    contexts: npt.NDArray[np.int8]
    weights: Floats

    @property
    def n_users(self) -> int:
        """Users who chose something."""
        return len(self.starts)

    def take(self, users: Bools) -> Choices:
        """Some of the users."""
        sizes = np.diff(np.append(self.starts, len(self.features)))
        rows = np.repeat(users, sizes)
        return Choices(
            features=self.features[rows],
            starts=np.cumsum(np.append(0, sizes[users]), dtype=np.int64)[:-1],
            chosen=self.chosen[rows],
            stands_for=self.stands_for[rows],
            contexts=self.contexts[users],
            weights=self.weights[users],
        )


def join_choices(parts: Sequence[Choices]) -> Choices:
    """Choices of different users, or before different moments, as one; scored by the same parts."""
    offsets = np.cumsum([0, *(len(each.features) for each in parts)])
    return Choices(
        features=np.concatenate([each.features for each in parts]),
        starts=np.concatenate([p.starts + o for p, o in zip(parts, offsets, strict=False)]),
        chosen=np.concatenate([each.chosen for each in parts]),
        stands_for=np.concatenate([each.stands_for for each in parts]),
        contexts=np.concatenate([each.contexts for each in parts]),
        weights=np.concatenate([each.weights for each in parts]),
    )


def collect_choices(
    blend: Blend, split: Split, rows: Ints, *, weight: float = 1.0, seed: int = 0
) -> Choices:
    """Score what held-out likes were chosen from, by every part of a blend.

    The best items of each part are looked at one by one; a few drawn evenly from the rest stand for
    all of it, so that the sum over the catalogue is estimated without bias. Drawing serves the
    fitting of a few weights only; every evaluation ranks all items. The items that compete are
    those of the split; where all do, those that somebody liked in training, for others are weighed
    apart.

    Args:
        blend: Fitted on ``split.train``.
        split: Of the same data.
        rows: int64 (n,), users of the split to look at.
        weight: How much each user counts.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    n_parts = len(blend.options.parts)
    compete = blend.liked if split.candidates is None else split.candidates
    features, sizes = [np.zeros((0, n_parts), dtype=np.float32)], [0]
    chosen, stands_for = [np.zeros(0)], [np.zeros(0)]
    contexts = [np.zeros(0, dtype=np.int8)]
    for block in row_blocks(len(rows), split.train.n_items):
        users = rows[block]
        targets = split.heldout.take(users)
        targets = targets.keep(compete[targets.items])
        users = users[np.diff(targets.indptr) > 0]
        targets = targets.take(np.flatnonzero(np.diff(targets.indptr)))
        told = split.told.take(users)
        scores = np.stack([blend.part_scores(name, told) for name in blend.options.parts])
        closed = split.excluded.take(users).seen() | ~compete
        contexts.append(blend.contexts(told))
        for row in range(len(users)):
            items, stand, share = _choice_set(scores[:, row], closed[row], targets, row, rng)
            features.append(scores[:, row, items].T)
            sizes.append(len(items))
            chosen.append(share)
            stands_for.append(stand)
    kinds = np.concatenate(contexts)
    return Choices(
        features=np.concatenate(features),
        starts=np.cumsum(sizes, dtype=np.int64)[:-1],
        chosen=np.concatenate(chosen),
        stands_for=np.concatenate(stands_for),
        contexts=kinds,
        weights=np.full(len(kinds), weight),
    )


def _choice_set(
    scores: FloatMatrix, closed: Bools, targets: Histories, row: int, rng: np.random.Generator
) -> tuple[Ints, Floats, Floats]:
    """One user's items to choose from, what each stands for, and what was chosen of them.

    ``scores`` is (n_parts, n_items); ``closed`` tells the items that are not to be had.
    """
    own = targets.items[targets.indptr[row] : targets.indptr[row + 1]]
    there = ~closed
    there[own] = True
    open_items = np.flatnonzero(there)
    looked_at = np.zeros(len(closed), dtype=np.bool_)
    looked_at[own] = True
    if len(open_items) > _HEAD + _OTHERS:
        best = np.argpartition(scores[:, open_items], -_HEAD, axis=1)[:, -_HEAD:]
        looked_at[open_items[np.unique(best)]] = True
    else:
        looked_at[open_items] = True
    rest = open_items[~looked_at[open_items]]
    drawn = rng.choice(rest, size=min(_OTHERS, len(rest)), replace=False)
    head = np.flatnonzero(looked_at)
    items = np.concatenate([head, drawn])
    stands_for = np.ones(len(items))
    stands_for[len(head) :] = len(rest) / max(len(drawn), 1)
    return items, stands_for, np.isin(items, own) / len(own)


def fit_weights(choices: Choices, *, prior: Floats, l2: float) -> Floats:
    """Weights that make the choices likeliest: conditional logistic regression.

    The probability of an item is the softmax of its weighted features over the whole catalogue.
    Maximises ``sum(weight * log p(chosen)) - l2 / 2 * |w - prior|²``, which has one maximum.

    Args:
        choices: What was chosen from what.
        prior: float64 (n_parts,), where the weights stay without evidence.
        l2: Pull towards it, at least 0.

    Returns:
        float64 (n_parts,).

    Source:
        McFadden 1974, "Conditional logit analysis of qualitative choice behavior".
    """
    from scipy.optimize import minimize

    if not choices.n_users:
        return prior
    features, starts = choices.features, choices.starts
    sizes = np.diff(np.append(starts, len(features)))
    per_row = np.repeat(choices.weights, sizes)
    log_counts = np.log(choices.stands_for)
    chosen = (choices.chosen * per_row).astype(np.float32)
    gained = np.asarray(chosen @ features, dtype=np.float64)

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = (features @ weights.astype(np.float32)).astype(np.float64)
        odds = scores + log_counts
        top = np.maximum.reduceat(odds, starts)
        odds = np.exp(odds - np.repeat(top, sizes))
        total = np.add.reduceat(odds, starts)
        reached = choices.weights @ (top + np.log(total))
        odds *= per_row / np.repeat(total, sizes)
        slope = gained - np.asarray(odds.astype(np.float32) @ features, dtype=np.float64)
        away = weights - prior
        likelihood = float(gained @ weights - reached)
        return 0.5 * l2 * float(away @ away) - likelihood, l2 * away - slope

    found = minimize(loss, prior, jac=True, method="L-BFGS-B", options={"maxiter": 100})
    return np.asarray(found.x, dtype=np.float64)
