"""Small made-up histories: users of several tastes, in order of time."""

from __future__ import annotations

import numpy as np

from plmrec.histories import Catalogue, Histories, TrainingData


def make_data(
    *,
    n_users: int = 60,
    n_items: int = 40,
    n_groups: int = 4,
    per_user: int = 9,
    seed: int = 3,
    dated: bool = True,
    n_cold: int = 2,
) -> TrainingData:
    """Users like items of their own group; the last ``n_cold`` items have no interaction."""
    rng = np.random.default_rng(seed)
    groups = np.arange(n_items) % n_groups
    users, items, weights, times = [], [], [], []
    for user in range(n_users):
        own = np.flatnonzero(groups[: n_items - n_cold] == user % n_groups)
        other = np.flatnonzero(groups[: n_items - n_cold] != user % n_groups)
        chosen = np.concatenate([rng.permutation(own)[: per_user - 2], rng.permutation(other)[:2]])
        users += [user] * len(chosen)
        items += list(chosen)
        weights += [1.0] * (len(chosen) - 2) + [-1.0, -1.0]
        times += list(1.6e9 + user * 86_400.0 + rng.permutation(len(chosen)) * 60.0)
    centres = rng.normal(size=(n_groups, 8))
    vectors = (centres[groups] + 0.3 * rng.normal(size=(n_items, 8))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    catalogue = Catalogue(item_ids=tuple(f"i{n:03d}" for n in range(n_items)), vectors=vectors)
    histories = Histories.build(
        user_ids=[f"u{n:03d}" for n in range(n_users)],
        n_items=n_items,
        users=np.array(users),
        items=np.array(items),
        weights=np.array(weights),
        times=np.array(times) if dated else np.full(len(times), np.nan),
    )
    now = float(np.nanmax(histories.times)) if dated else 0.0
    return TrainingData(catalogue=catalogue, histories=histories, now=now)


def make_histories(rows: list[list[tuple[int, float, float]]], n_items: int) -> Histories:
    """Histories from (item, weight, time) triples per user."""
    flat = [(user, *entry) for user, row in enumerate(rows) for entry in row]
    columns = list(zip(*flat, strict=True)) if flat else [(), (), (), ()]
    return Histories.build(
        user_ids=[f"u{n}" for n in range(len(rows))],
        n_items=n_items,
        users=np.array(columns[0], dtype=np.int64),
        items=np.array(columns[1], dtype=np.int64),
        weights=np.array(columns[2], dtype=np.float64),
        times=np.array(columns[3], dtype=np.float64),
    )
