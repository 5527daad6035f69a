"""Weights of the parts of a blend, from what users chose among what they could have chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plmrec.histories import Bools, Floats, Ints
from plmrec.recommenders.blend import Blend
from plmrec.splits import Split
from plmrec.stages.scoring import row_blocks
from plmrec.types import FloatMatrix

_HEAD = 50  # best items of each part among which a choice is explained
_OTHERS = 100  # items drawn evenly from all others


class Choices:
    """Held-out likes, each with the items it was chosen from.

    Attributes:
        features: float32 (n, n_parts), standardised scores of an item by every part.
        starts: int64 (n_choices,), row of ``features`` where each choice begins; the chosen item
            comes first.
        weights: float64 (n_choices,), 1 over the user's number of choices, so that users count
            alike.
    """

    def __init__(self, features: FloatMatrix, starts: Ints, weights: Floats) -> None:
        self.features = features
        self.starts = starts
        self.weights = weights

    @property
    def n_choices(self) -> int:
        """Number of held-out likes."""
        return len(self.starts)


def join_choices(parts: Sequence[Choices], shares: Sequence[float]) -> Choices:
    """Choices from several splits as one.

    Args:
        parts: Choices scored by the same parts.
        shares: Share of the total weight that each gets; they add up to 1.
    """
    weights, starts, n_rows = [], [], 0
    total = sum(choices.weights.sum() for choices in parts)
    for choices, share in zip(parts, shares, strict=True):
        own = choices.weights.sum()
        weights.append(choices.weights * (total * share / own if own else 0.0))
        starts.append(choices.starts + n_rows)
        n_rows += len(choices.features)
    features = np.concatenate([choices.features for choices in parts])
    return Choices(features, np.concatenate(starts), np.concatenate(weights))


def collect_choices(blend: Blend, split: Split, *, n_targets: int, seed: int) -> Choices:
    """Score what each held-out like was chosen from, by every part of a blend.

    A choice is explained among the items that matter for a list: the best of any part, and some
    drawn evenly from the rest. Drawing serves the fitting of a few weights only; every evaluation
    ranks all items.

    Args:
        blend: Fitted on ``split.train``.
        split: Of the same data.
        n_targets: Held-out likes to draw at most.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    n_heldout = len(split.heldout.items)
    drawn = np.sort(rng.permutation(n_heldout)[:n_targets])
    mask = np.zeros(n_heldout, dtype=np.bool_)
    mask[drawn] = True
    targets = split.heldout.keep(mask)
    rows = np.flatnonzero(np.diff(targets.indptr))
    features, sizes = [np.zeros((0, len(blend.parts)), dtype=np.float32)], [0]
    weights: list[float] = []
    for block in row_blocks(len(rows), targets.n_items):
        users = rows[block]
        likes = np.diff(split.train.take(users).positives().indptr)
        users = users[likes > 0]  # the others are the fallback's, not the blend's
        history = split.train.take(users)
        scores = np.stack([blend.part_scores(name, history) for name in blend.parts])
        closed = split.excluded.take(users).seen() | split.heldout.take(users).seen()
        chosen = targets.take(users)
        for row in range(len(users)):
            options = _candidates(scores[:, row], closed[row], rng)
            own = chosen.items[chosen.indptr[row] : chosen.indptr[row + 1]]
            weights += [1.0 / len(own)] * len(own)
            for item in own:
                features.append(scores[:, row, np.append(item, options)].T)
                sizes.append(len(options) + 1)
    return Choices(
        np.concatenate(features), np.cumsum(sizes, dtype=np.int64)[:-1], np.array(weights)
    )


def _candidates(scores: FloatMatrix, closed: Bools, rng: np.random.Generator) -> Ints:
    """Places of the open items to choose from; ``scores`` is (n_parts, n_items)."""
    open_items = np.flatnonzero(~closed)
    if len(open_items) <= _HEAD + _OTHERS:
        return open_items
    best = np.argpartition(scores[:, open_items], -_HEAD, axis=1)[:, -_HEAD:]
    others = rng.integers(0, len(open_items), size=_OTHERS)
    return open_items[np.unique(np.append(best, others))]


def fit_weights(choices: Choices, *, prior: Floats, l2: float) -> Floats:
    """Weights that make the choices likeliest: conditional logistic regression.

    The probability of an item among its candidates is the softmax of its weighted features.
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

    if not choices.n_choices:
        return prior
    features, starts = choices.features.astype(np.float64), choices.starts
    sizes = np.diff(np.append(starts, len(features)))

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = features @ weights
        scores -= np.repeat(np.maximum.reduceat(scores, starts), sizes)
        odds = np.exp(scores)
        total = np.add.reduceat(odds, starts)
        likelihood = float(choices.weights @ (scores[starts] - np.log(total)))
        odds *= np.repeat(choices.weights / total, sizes)
        slope = choices.weights @ features[starts] - odds @ features
        away = weights - prior
        return 0.5 * l2 * float(away @ away) - likelihood, l2 * away - slope

    found = minimize(loss, prior, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x, dtype=np.float64)
