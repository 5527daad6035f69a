"""The demonstration: the whole chain on one dataset, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from plmrec.errors import ParamsError
from plmrec.platform import control
from plmrec.platform.chain import ChainRun, Failure, Step
from plmrec.platform.folder import PlatformFolder
from plmrec.platform.startup import airflow_client
from plmrec.settings import Settings
from plmrec.stores import tables
from plmrec.stores.workspace import Workspace

STAGES: Final = ("validate", "transcribe", "embed", "understand", "train", "evaluate", "refresh")


def check_dataset(dataset: Path) -> None:
    """Refuse early what is no folder.

    Raises:
        ParamsError: There is no such folder.
    """
    if not dataset.is_dir():
        raise ParamsError(f"demo: expected a folder, got {dataset}", hint="Correct --dataset")


@contextmanager
def platform_up(
    settings: Settings, *, keep: bool, say: Callable[[str], None]
) -> Iterator[PlatformFolder]:
    """Have the platform run during the block; stop it after, unless it ran before.

    Args:
        settings: Of the workspace.
        keep: Leave it running in any case.
        say: Called with a line for each service that is ready, or stopped.
    """
    ran_before = all(row["state"] in {"running", "external"} for row in control.status(settings))
    control.up(settings, say=say)
    try:
        yield PlatformFolder(settings)
    finally:
        if not (keep or ran_before):
            control.down(settings, say=say)


def run_chain(
    folder: PlatformFolder,
    dataset: Path,
    *,
    timeout_s: float,
    on_poll: Callable[[Sequence[Step]], None],
) -> Failure | None:
    """Run the six DAGs on a dataset; see ``ChainRun.follow``.

    Raises:
        ServiceUnavailableError: The chain does not end in time.
    """
    chain = ChainRun(airflow_client(folder))
    chain.trigger({"dataset": str(dataset.resolve()), "retrain": True})
    return chain.follow(timeout_s=timeout_s, on_poll=on_poll)


def results(settings: Settings, *, k: int = 10) -> dict[str, Any]:
    """What the chain left: ``reports``, ``quarantine`` and ``lists`` of two users.

    Args:
        settings: Of the workspace; its database must answer.
        k: Items per list.
    """
    from plmrec.app.answers import recommend
    from plmrec.app.context import open_context
    from plmrec.app.quarantine import list_quarantine

    context = open_context(settings)
    return {
        "reports": [
            context.workspace.read_json("reports", f"{stage}.json")
            for stage in STAGES
            if context.workspace.exists("reports", f"{stage}.json")
        ],
        "quarantine": list_quarantine(limit=0, settings=settings)["counts"],
        "lists": {
            user: recommend(user, k, settings=settings, params=context.params)
            for user in two_users(context.workspace, context.params.shards)
        },
    }


def pages(settings: Settings) -> dict[str, str]:
    """Addresses of what runs and has pages for a browser, by name; ``up`` chooses them again."""
    shown = {"airflow-api": "Airflow", "mlflow": "MLflow"}
    addresses = {row["service"]: str(row["address"]) for row in control.status(settings)}
    return {name: addresses[key] for key, name in shown.items() if addresses.get(key)}


def two_users(workspace: Workspace, n_shards: int) -> list[str]:
    """Two users to show lists of: one with the most interactions, one with the median number."""
    table = tables.interactions_table(workspace, n_shards)
    counts: Counter[str] = Counter()
    for shard in table.shards:
        for pair in table.read(shard, ["user_id"]).column("user_id").value_counts().to_pylist():
            counts[pair["values"]] += pair["counts"]
    ranked = sorted(counts, key=lambda user: (-counts[user], user))
    return list(dict.fromkeys([*ranked[:1], *ranked[len(ranked) // 2 :][:1]]))
