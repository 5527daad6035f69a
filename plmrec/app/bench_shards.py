"""How much faster shards are transcribed at once than one after the other."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

import yaml

from plmrec.app.bench_speech import Reference, read_references
from plmrec.app.context import open_context
from plmrec.digests import digest_json, shard_of
from plmrec.errors import DataContractError
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stores.tables import items_table
from plmrec.stores.workspace import Workspace

_RUN: Final = (
    "import sys; from plmrec.app.transcribe import transcribe_shard; "
    "[transcribe_shard(shard) for shard in sys.argv[1:]]"
)
_THREADS: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def bench_shards(
    refs: Path,
    *,
    n_shards: int,
    settings: Settings | None = None,
    params: Params | None = None,
) -> dict[str, Any]:
    """Transcribe recordings twice: shard after shard in one task, and every shard in its own.

    This is the stage itself on a workspace of its own, in processes of one thread each, their
    start included. The recordings are dealt out so that all shards are about as long.

    Args:
        refs: See ``bench_speech``.
        n_shards: Shards, and tasks at once.
        settings: Where to run; the environment by default.
        params: Which recogniser; params.yaml by default.

    Returns:
        ``n_shards``, ``in_turn_s``, ``at_once_s``, ``speed_up``, and ``load``, the machine's
        load average over the minute before.

    Raises:
        DataContractError: The references cannot be read, or a task failed.
    """
    context = open_context(settings, params)
    references = [each for each in read_references(refs) if each.path.exists()]
    load = os.getloadavg()[0]
    speech = context.params.speech.model_copy(update={"golden": None})
    chosen = context.params.model_copy(update={"shards": n_shards, "speech": speech})
    names = [f"part-{number:03d}" for number in range(n_shards)]
    with tempfile.TemporaryDirectory(prefix="plmrec-bench-") as temporary:
        folder = Path(temporary)
        (folder / "params.yaml").write_text(yaml.safe_dump(chosen.model_dump(mode="json")))
        seconds = {}
        for way, tasks in (("in_turn_s", [names]), ("at_once_s", [[name] for name in names])):
            _write_items(Workspace(str(folder / way)), references, n_shards)
            seconds[way] = round(_run(folder, way, tasks), 2)
    speed_up = round(seconds["in_turn_s"] / seconds["at_once_s"], 3)
    return {"n_shards": n_shards, **seconds, "speed_up": speed_up, "load": round(load, 2)}


def _run(folder: Path, workspace: str, tasks: Sequence[Sequence[str]]) -> float:
    """Run tasks at once, each over its shards; return the seconds until the last has ended."""
    environment = {
        **os.environ,
        **_THREADS,
        "PLMREC_WORKSPACE": str(folder / workspace),
        "PLMREC_PARAMS": str(folder / "params.yaml"),
    }
    started = time.perf_counter()
    running = [
        subprocess.Popen(  # noqa: S603 - fixed arguments
            [sys.executable, "-c", _RUN, *shards],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for shards in tasks
    ]
    for process in running:
        _, errors = process.communicate()
        if process.returncode:
            last = errors.strip().splitlines()[-1:] or ["no message"]
            raise DataContractError(f"bench: transcribing a shard failed: {last[0]}")
    return time.perf_counter() - started


def _write_items(workspace: Workspace, references: Sequence[Reference], n_shards: int) -> None:
    """Write one item for each recording, the longest first to the shard with the least so far."""
    table = items_table(workspace, n_shards)
    rows: list[list[dict[str, Any]]] = [[] for _ in range(n_shards)]
    n_bytes = [0] * n_shards
    for reference in sorted(references, key=lambda each: -each.path.stat().st_size):
        number = n_bytes.index(min(n_bytes))
        n_bytes[number] += reference.path.stat().st_size
        names = (f"{reference.path.stem}-{again}" for again in count())
        item_id = next(name for name in names if shard_of(name, n_shards) == number)
        media = f"{item_id}{reference.path.suffix}"
        workspace.write_bytes(reference.path.read_bytes(), "dataset", "media", media)
        row = {"item_id": item_id, "kind": "audio", "media": media, "media_digest": item_id}
        rows[number].append({**row, "digest": digest_json(row)})
    for shard, mine in zip(table.shards, rows, strict=True):
        table.write(shard, sorted(mine, key=lambda row: str(row["item_id"])))
