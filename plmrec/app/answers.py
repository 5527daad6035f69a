"""Answers of the live release: lists for one user with reasons, and for all users into a file."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from plmrec.app.context import Context, database_url, open_context
from plmrec.app.explore import search, similar
from plmrec.app.releases import pseudonym_key, release_folder
from plmrec.app.training_data import (
    item_facts,
    load_catalogue,
    load_everyone,
    load_history,
)
from plmrec.digests import pseudonymise
from plmrec.histories import Histories
from plmrec.metrics.lists import NO_ITEM
from plmrec.params import Params
from plmrec.recommend.lists import rank_items
from plmrec.recommend.one_user import FindPassages, recommend_items
from plmrec.recommend.release import LoadedRelease, unpack_release
from plmrec.settings import Settings
from plmrec.stores.database import Connection, Pool, open_database
from plmrec.stores.generations import Generation, live_pointer
from plmrec.stores.list_file import SCHEMA, check_suffix, write_lists
from plmrec.stores.live import ask_live, nearest_passages_of
from plmrec.stores.releases import ReleaseStore
from plmrec.stores.state_folder import read_state
from plmrec.types import FloatMatrix, Passage

__all__ = ["recommend", "recommend_all", "search", "similar"]

log = logging.getLogger(__name__)

_CELLS: Final = 24_000_000  # scores of all parts of the recommender in memory at once: 96 MB

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """The release that answers now, over the items of the dataset, and its generation."""

    release: LoadedRelease
    generation: Generation


def recommend(
    user: str,
    k: int = 10,
    *,
    settings: Settings | None = None,
    params: Params | None = None,
) -> list[dict[str, Any]]:
    """Recommend k unseen items to one user, best first, each with its reason.

    Args:
        user: Id as in the dataset; an unknown one gets recent popularity, labelled so.
        k: Items to recommend.
        settings: Where to run; the environment by default.
        params: ``feedback`` and ``shards`` are used.

    Returns:
        Dicts with the fields of ``types.Recommendation``.

    Raises:
        MissingStageError: No generation is live.
    """
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        answering = load_answering(context, pool)
        catalogue = answering.release.catalogue
        found = recommend_items(
            answering.release,
            load_history(context, catalogue, user).in_units(answering.release.unit),
            k=k,
            facts=item_facts(context, catalogue),
            find_passages=_passage_finder(pool, answering.generation),
        )
    log.info("%d items for %s", len(found), pseudonymise(user, pseudonym_key(context)))
    return [asdict(each) for each in found]


def recommend_all(
    k: int,
    output: str | Path,
    *,
    settings: Settings | None = None,
    params: Params | None = None,
    progress: Progress = lambda _done, _total: None,
) -> dict[str, Any]:
    """Write the lists of all users to a csv or parquet file, a block of users at a time.

    Args:
        k: Items per user.
        output: File to write; its suffix chooses the format.
        settings: Where to run; the environment by default.
        params: ``feedback`` and ``shards`` are used.
        progress: Told users done and users to do.

    Returns:
        ``users rows release output seconds``.

    Raises:
        ParamsError: The suffix names no format, or the file cannot be written.
        MissingStageError: No generation is live.
    """
    started = time.monotonic()
    path = Path(output)
    check_suffix(path)
    context = open_context(settings, params)
    with open_database(database_url(context)) as pool:
        answering = load_answering(context, pool)
    release = answering.release
    histories = load_everyone(context, release.catalogue).in_units(release.unit)
    n_rows = write_lists(path, _blocks(release, histories, k, progress))
    return {
        "users": histories.n_users,
        "rows": n_rows,
        "release": release.version,
        "output": str(path),
        "seconds": round(time.monotonic() - started, 2),
    }


def load_answering(context: Context, pool: Pool) -> Answering:
    """Load the release of the live generation over the items of the dataset.

    Raises:
        MissingStageError: No generation is live, or the dataset is not in this workspace.
        DataContractError: The state that MLflow holds is not what was released.
    """
    generation = live_pointer(pool).generation
    row = ReleaseStore(pool).get(generation.release_version)
    arrays, model = read_state(release_folder(context, row))
    release = unpack_release(arrays, model, version=str(row.version))
    catalogue = load_catalogue(context, row.encoder_fingerprint)
    return Answering(release=release.over(catalogue), generation=generation)


def _passage_finder(pool: Pool, generation: Generation) -> FindPassages:
    """Find passages in the index; none when another generation went live meanwhile."""

    def find(item_ids: Sequence[str], vector: FloatMatrix) -> dict[str, Passage]:
        def question(conn: Connection, live: Generation) -> dict[str, Passage]:
            if live.encoder_fingerprint != generation.encoder_fingerprint:
                return {}
            found = nearest_passages_of(conn, live, item_ids, vector, k=2)
            # The first passage of an item is its title and tags, which quotes nothing of it.
            quotable = ((i, p) for i, close in found.items() for p in close if p.passage_no > 0)
            best: dict[str, Passage] = {}
            for item_id, each in quotable:
                passage = Passage(text=each.text, start_s=each.start_s, end_s=each.end_s)
                best.setdefault(item_id, passage)
            return best

        return ask_live(pool, question)

    return find


def _blocks(
    release: LoadedRelease, histories: Histories, k: int, progress: Progress
) -> Iterator[pa.Table]:
    """Lists of all users as tables, a block of users each, as many at once as there are cores."""
    from threadpoolctl import threadpool_limits

    n_parts = len(release.blend.options.parts)
    step = max(1, _CELLS // max(1, n_parts * release.catalogue.n_items))
    item_ids = pa.array(release.catalogue.item_ids, pa.string())
    starts = range(0, histories.n_users, step)
    n_workers = os.cpu_count() or 1

    def table(start: int) -> pa.Table:
        return _table(release, histories.block(start, start + step), k, item_ids)

    progress(0, histories.n_users)
    # One thread per block and core: the many small steps of a block leave no work to share.
    with threadpool_limits(1), ThreadPoolExecutor(n_workers) as pool:
        for first in range(0, len(starts), n_workers):
            some = starts[first : first + n_workers]
            for start, found in zip(some, pool.map(table, some), strict=True):
                yield found
                progress(min(start + step, histories.n_users), histories.n_users)


def _table(release: LoadedRelease, block: Histories, k: int, item_ids: pa.Array) -> pa.Table:
    lists = rank_items(release, block, k)
    there = lists.items != NO_ITEM
    users, columns = np.nonzero(there)
    columns_of = {
        "user_id": pa.array(block.user_ids, pa.string()).take(pa.array(users)),
        "rank": pa.array(columns + 1, pa.int32()),
        "item_id": item_ids.take(pa.array(lists.items[there])),
        "score": pa.array(lists.scores[there], pa.float32()),
        "source": pa.array(lists.sources()[there], pa.string()),
        "release": pa.array([release.version], pa.string()).take(
            pa.array(np.zeros(len(users), dtype=np.int64))
        ),
    }
    return pa.table(columns_of, schema=SCHEMA)
