"""Slices of users and items, and what lists are worth in each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from plmrec.histories import Bools, Floats, Ints
from plmrec.metrics.ranking import find_hits, ndcg_at_k, recall_at_k
from plmrec.splits import Split
from plmrec.stages.judging import Judgement, liked_counts

_HEAD: Final = 0.8  # share of the likes that the most popular items make
_MIN_USERS: Final = 30  # of a group, for its mean to count in a gap
_MAX_VALUES: Final = 30  # of an attribute, for its values to be groups
_BANDS: Final = 4
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """What items and users are, besides what histories tell.

    Attributes:
        items: (n_items,) per slice of items, such as ``kind video``, True for those in it.
        users: (n_users,) per attribute and its value, True for users who have it.
    """

    items: Mapping[str, Bools] = field(default_factory=dict)
    users: Mapping[str, Mapping[str, Bools]] = field(default_factory=dict)


class Gap(NamedTuple):
    """How far the groups of an attribute are apart.

    Attributes:
        gap: Largest minus smallest mean, over groups of enough users; nan with fewer than two.
        groups: Per group, ``users`` and ``mean``.
    """

    gap: float
    groups: dict[str, dict[str, float]]


def slice_users(split: Split, rows: Ints) -> dict[str, Bools]:
    """Slices of the judged users by how much they liked, as far as the recommender is told.

    ``new_users`` liked nothing; ``light_users`` and ``heavy_users`` are the lower and the upper
    third of the others.
    """
    likes = np.diff(split.told.take(rows).positives().indptr)
    known = likes > 0
    low, high = np.quantile(likes[known], [1 / 3, 2 / 3]) if known.any() else (0.0, np.inf)
    return {
        "new_users": ~known,
        "light_users": known & (likes <= low),
        "heavy_users": known & (likes > high),
    }


def slice_items(split: Split, groups: Groups | None = None) -> dict[str, Bools]:
    """Slices of the items: ``cold``, ``long_tail``, and those of ``groups``.

    Nobody in training liked a cold item. The long tail is what is left without the most popular
    items that make 80 % of the likes in training; cold items belong to it.

    Source:
        Cremonesi, Koren and Turrin 2010, "Performance of recommender algorithms on top-n
        recommendation tasks", which tests on the long tail.
    """
    counts = liked_counts(split.train)
    return {
        "cold": counts == 0,
        "long_tail": _long_tail(counts),
        **({} if groups is None else groups.items),
    }


def judge_item_slices(
    judgement: Judgement, split: Split, rows: Ints, slices: Mapping[str, Bools]
) -> dict[str, dict[str, float]]:
    """Recall and NDCG when only the held-out items of a slice count as relevant.

    The lists stay what they are: all items compete for their places.

    Args:
        judgement: Of the lists of ``rows``.
        split: The split.
        rows: int64 (n_judged,), its users that were judged.
        slices: (n_items,) per slice.

    Returns:
        Per slice with a held-out item: ``users`` and ``likes`` held out, ``recall@k``, ``ndcg@k``.
    """
    k, found = judgement.k, {}
    heldout = split.heldout.take(rows)
    for name, is_in in slices.items():
        relevant = heldout.keep(is_in[heldout.items])
        n_relevant = np.diff(relevant.indptr)
        if not n_relevant.any():
            continue
        hits = find_hits(judgement.items, relevant.indptr, relevant.items)
        found[name] = {
            "users": float((n_relevant > 0).sum()),
            "likes": float(n_relevant.sum()),
            f"recall@{k}": float(np.nanmean(recall_at_k(hits, n_relevant, k))),
            f"ndcg@{k}": float(np.nanmean(ndcg_at_k(hits, n_relevant, k))),
        }
    return found


def find_gaps(
    per_user: Floats, users: Mapping[str, Mapping[str, Bools]], *, min_users: int = _MIN_USERS
) -> dict[str, Gap]:
    """How much better some groups of users are served than others.

    Args:
        per_user: float64 (n_judged,), a metric.
        users: (n_judged,) per attribute and value.
        min_users: Users of a group from which on it counts in the gap.

    Source:
        Ekstrand et al. 2018, "All the cool kids, how do they fit in?: popularity and demographic
        biases in recommender evaluation and effectiveness".
    """
    gaps = {}
    for attribute, values in users.items():
        groups = {}
        for value, is_in in values.items():
            known = per_user[is_in & np.isfinite(per_user)]
            if known.size:
                groups[value] = {"users": float(known.size), "mean": float(known.mean())}
        means = [group["mean"] for group in groups.values() if group["users"] >= min_users]
        gap = max(means) - min(means) if len(means) > 1 else float("nan")
        if groups:
            gaps[attribute] = Gap(gap, groups)
    return gaps


def take_users(groups: Groups, rows: Ints) -> dict[str, dict[str, Bools]]:
    """The groups of some users, in the order of ``rows``."""
    return {
        attribute: {value: is_in[rows] for value, is_in in values.items()}
        for attribute, values in groups.users.items()
    }


def group_values(values: Sequence[Any]) -> dict[str, Bools]:
    """Groups of equal values; numbers of many values are cut into four bands of like size.

    Args:
        values: One per user or item; None, nan and empty texts are of the group ``unknown``.

    Returns:
        (n,) per group; nothing where all are in one group, or texts are of too many values, such
        as names.

    Example:
        >>> list(group_values(["f", "m", None, "m"]))
        ['f', 'm', 'unknown']
    """
    texts = [_text(value) for value in values]
    names = sorted(set(texts) - {_UNKNOWN})
    if len(names) > _MAX_VALUES or (len(names) > 2 * _BANDS and _are_numbers(names)):
        texts = _bands(texts) if _are_numbers(names) else []
        names = list(dict.fromkeys(sorted(set(texts) - {_UNKNOWN}, key=_low_end)))
    column = np.array(texts, dtype=object)
    groups = {name: np.asarray(column == name, dtype=np.bool_) for name in [*names, _UNKNOWN]}
    groups = {name: is_in for name, is_in in groups.items() if is_in.any()}
    return groups if len(groups) > 1 else {}


def _long_tail(counts: Floats) -> Bools:
    """(n_items,), True outside the most liked items that make most of the likes."""
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    is_tail = np.ones(len(counts), dtype=np.bool_)
    is_tail[order[before < _HEAD * counts.sum()]] = False
    return np.asarray(is_tail | (counts == 0))


def _text(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))
    text = "" if value is None else str(value).strip()
    return _UNKNOWN if text in {"", "nan"} else text


def _are_numbers(names: Sequence[str]) -> bool:
    try:
        return all(math.isfinite(float(name)) for name in names)
    except ValueError:
        return False


def _bands(texts: Sequence[str]) -> list[str]:
    """Numbers as the band they fall into, named by its smallest and largest number."""
    numbers = np.array([float(text) if text != _UNKNOWN else np.nan for text in texts])
    known = np.isfinite(numbers)
    edges = np.unique(np.quantile(numbers[known], np.arange(1, _BANDS) / _BANDS))
    bands = np.searchsorted(edges, numbers, side="left")
    names = {
        int(band): " to ".join(
            f"{end(numbers[known & (bands == band)]):g}" for end in (np.min, np.max)
        )
        for band in np.unique(bands[known])
    }
    return [
        names[int(band)] if there else _UNKNOWN for band, there in zip(bands, known, strict=True)
    ]


def _low_end(band: str) -> float:
    return float(band.split(" to ", maxsplit=1)[0])
