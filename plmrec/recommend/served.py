"""The release as MLflow serves it: histories of item ids in, lists of item ids out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from plmrec.histories import Histories
from plmrec.metrics.lists import NO_ITEM
from plmrec.recommend.lists import FALLBACK, rank_items
from plmrec.recommend.release import BACKEND, LoadedRelease, unpack_release
from plmrec.stores.state_folder import read_state

Answer: TypeAlias = Callable[..., pd.DataFrame]


def load_served(folder: str) -> Answer:
    """Load a release from its folder; MLflow calls this when a model is loaded.

    Returns:
        A function of a frame with the column ``history``, item ids that the user liked, the
        oldest first, and of ``k``; it returns one row per row, with ``item_ids``, ``scores``
        and ``source``.
    """
    arrays, model = read_state(Path(folder))
    release = unpack_release(arrays, model, version="")

    def answer(frame: pd.DataFrame, *, k: int = 10) -> pd.DataFrame:
        return answer_histories(release, list(frame["history"]), k=int(k)).set_index(frame.index)

    return answer


def answer_histories(
    release: LoadedRelease, histories: Sequence[Sequence[str]], *, k: int
) -> pd.DataFrame:
    """Answer users known only by what they liked.

    Args:
        release: What answers.
        histories: Item ids of each user, the oldest first; unknown ids are ignored.
        k: Length of the lists.
    """
    lists = rank_items(release, liked_in_order(release, histories), k)
    ids = np.array(release.catalogue.item_ids, dtype=object)
    there = lists.items != NO_ITEM
    rows = zip(lists.items, lists.scores, there, lists.is_fallback, strict=True)
    return pd.DataFrame(
        [
            {
                "item_ids": ids[items[kept]].tolist(),
                "scores": scores[kept].astype(float).tolist(),
                "source": FALLBACK if is_fallback else BACKEND,
            }
            for items, scores, kept, is_fallback in rows
        ],
        columns=["item_ids", "scores", "source"],
    )


def liked_in_order(release: LoadedRelease, histories: Sequence[Sequence[str]]) -> Histories:
    """Histories of likes whose order is known and whose times are not: a second apart, to now."""
    places = release.catalogue.positions()
    users, items, times = [], [], []
    for user, item_ids in enumerate(histories):
        latest = dict.fromkeys(each for each in reversed(list(item_ids)) if each in places)
        for age, item_id in enumerate(latest):
            users.append(user)
            items.append(places[item_id])
            times.append(release.now - age)
    return Histories.build(
        user_ids=[str(user) for user in range(len(histories))],
        n_items=release.catalogue.n_items,
        users=np.array(users, dtype=np.int64),
        items=np.array(items, dtype=np.int64),
        weights=np.ones(len(items)),
        times=np.array(times, dtype=np.float64),
    )
