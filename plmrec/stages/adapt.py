"""Stage "adapt": the encoder learns which items go together from what the same people like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from plmrec.encoders._training import Progress, Schedule, open_source
from plmrec.encoders._training_pairs import train_pairs
from plmrec.encoders.transformer import Options
from plmrec.errors import DataContractError
from plmrec.histories import Histories, Ints
from plmrec.params import AdaptationParams

_DAY: Final = 86_400.0
_SHRINKAGE: Final = 10.0  # users at which a pair's score is trusted by half
_TRIED: Final = 20  # candidates looked at for each pair that may be kept


def adapt(
    options: Options,
    pairs: Sequence[tuple[str, str]],
    params: AdaptationParams,
    *,
    seed: int,
    work: Path,
    progress: Progress,
) -> Any:
    """Bring the texts of each pair together, apart from those of other pairs.

    Args:
        options: Of the encoder to start from.
        pairs: Texts that belong together: of two items, see ``find_pairs``, or of one, see
            ``mix_pairs``.
        params: How.
        seed: Of every random choice.
        work: Folder for checkpoints; a run that was killed goes on from there.
        progress: Told steps done and to do.

    Returns:
        The trained model, without pooling.

    Raises:
        BackendUnavailableError: The encoder is not here.
    """
    return train_pairs(
        open_source(options),
        pairs,
        schedule=Schedule.of(params, seed=seed),
        max_tokens=params.max_tokens,
        scale=params.scale,
        work=work,
        progress=progress,
    )


def find_pairs(histories: Histories, params: AdaptationParams, *, seed: int) -> Ints:
    """Pairs of items that the same users liked within a short time.

    Two likes of a user that are k places apart speak for the pair with 1/k. What all users say is
    divided by the root of the likes of both items, so that what everybody likes does not go with
    everything, and shrunk where few users say it. The best pairs are kept, of each item at most
    ``pairs_per_item``.

    Args:
        histories: What may be learnt from; only likes are read.
        params: See ``AdaptationParams``.
        seed: Of which item of a pair comes first.

    Returns:
        int64 (n, 2), best first; no pair twice.

    Raises:
        DataContractError: There are fewer than two pairs.
    """
    liked = histories.positives()
    keys, spoken = _meetings(liked, params)
    pairs, place = np.unique(keys, return_inverse=True)
    users = np.bincount(place)
    score = np.bincount(place, spoken)
    first, second = pairs // liked.n_items, pairs % liked.n_items
    counts = np.bincount(liked.items, minlength=liked.n_items)
    score = score / np.sqrt(counts[first] * counts[second]) * users / (users + _SHRINKAGE)
    score[users < params.min_users] = -1.0
    order = np.lexsort((pairs, -score))[: params.max_pairs * _TRIED]
    order = order[score[order] > 0]
    found = _limited(np.stack([first[order], second[order]], axis=1), params, liked.n_items)
    if len(found) < 2:
        raise DataContractError(
            f"adapt: expected at least 2 pairs of items that {params.min_users} users liked "
            f"together, found {len(found)} in {len(liked.items)} likes",
            hint="Give more interactions, or lower adaptation.min_users in params.yaml",
        )
    turned = np.random.default_rng(seed).random(len(found)) < 0.5
    found[turned] = found[turned, ::-1]
    return found


def mix_pairs(
    pairs: Ints,
    texts: Sequence[str],
    own: Sequence[tuple[str, str]],
    params: AdaptationParams,
    *,
    seed: int,
) -> list[tuple[str, str]]:
    """Texts of pairs of items, and among them pairs of two texts of the same item.

    Likes alone would teach an encoder to forget what texts say: items that the same people like
    would come together whatever is written about them.

    Args:
        pairs: int64 (n, 2), places of items.
        texts: Text of each item, by its place.
        own: Two texts of the same item, any number of items.
        params: ``text_share`` is used: so many of ``own`` for each of ``pairs``, if there are.
        seed: Of which are drawn.

    Returns:
        The texts of all pairs of items, and of the items drawn.
    """
    n_own = min(round(len(pairs) * params.text_share), len(own))
    drawn = np.random.default_rng(seed).permutation(len(own))[:n_own]
    return [
        *((texts[first], texts[second]) for first, second in pairs.tolist()),
        *(own[place] for place in np.sort(drawn).tolist()),
    ]


def _meetings(liked: Histories, params: AdaptationParams) -> tuple[Ints, Any]:
    """Every two likes of a user near enough: ``low * n_items + high``, and what it says."""
    users, dated = liked.users, liked.has_times
    keys, spoken = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    for lag in range(1, params.within_items + 1):
        before, after = liked.items[:-lag], liked.items[lag:]
        near = users[:-lag] == users[lag:]
        if dated:
            near &= np.abs(liked.times[lag:] - liked.times[:-lag]) <= params.within_days * _DAY
        low, high = np.minimum(before, after)[near], np.maximum(before, after)[near]
        keys.append(low * liked.n_items + high)
        spoken.append(np.full(len(low), 1.0 / lag))
    return np.concatenate(keys), np.concatenate(spoken)


def _limited(pairs: Ints, params: AdaptationParams, n_items: int) -> Ints:
    """The first pairs of which no item has too many."""
    used = np.zeros(n_items, dtype=np.int64)
    kept = []
    for place, (first, second) in enumerate(pairs.tolist()):
        if max(used[first], used[second]) < params.pairs_per_item:
            used[first] += 1
            used[second] += 1
            kept.append(place)
            if len(kept) == params.max_pairs:
                break
    return pairs[np.array(kept, dtype=np.int64)]
