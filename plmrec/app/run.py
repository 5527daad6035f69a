"""The whole chain in one process, without Airflow: what the six DAGs do, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from plmrec.app.context import open_context
from plmrec.app.shards import Progress
from plmrec.errors import GateError
from plmrec.params import Params
from plmrec.settings import Settings

STAGES: Final = ("validate", "transcribe", "embed", "understand", "train", "evaluate", "refresh")

OnStage: TypeAlias = Callable[[str], Progress]  # told a stage begins, says how to tell its progress


def run(
    dataset: str,
    *,
    settings: Settings | None = None,
    params: Params | None = None,
    on_stage: OnStage = lambda _stage: lambda _done, _total: None,
) -> Iterator[dict[str, Any]]:
    """Run every stage on a dataset; each report comes when its stage has ended.

    What an earlier run finished is reused, so a run that was killed goes on where it was.

    Args:
        dataset: Folder that follows the dataset contract.
        settings: Where to run; the environment by default.
        params: What to run; params.yaml by default.
        on_stage: Called before each stage; returns what is told units done and units to do.

    Yields:
        The reports of the stages, in the order of ``STAGES``.

    Raises:
        GateError: No release may answer: the policy rejected the first one, or waits for a person.
        PlmrecError: What a stage raises.
    """
    context = open_context(settings, params)
    where: dict[str, Any] = {"settings": context.settings, "params": context.params}
    yield _validate(dataset, on_stage("validate"), where)
    from plmrec.app.transcribe import transcribe

    yield transcribe(progress=on_stage("transcribe"), **where)
    from plmrec.app.embed import embed

    yield embed(progress=on_stage("embed"), **where)
    from plmrec.app.understand import understand

    yield understand(progress=on_stage("understand"), **where)
    from plmrec.app.train import train

    yield train(progress=on_stage("train"), **where)
    from plmrec.app.evaluate import evaluate

    on_stage("evaluate")
    verdict: dict[str, Any] = evaluate(**where)
    yield verdict
    from plmrec.app.refresh import has_champion, refresh

    if not has_champion(**where):
        raise GateError(
            f"run: expected a champion to refresh the index for, release {verdict['release']} "
            f"was not promoted: {'; '.join(verdict['reasons'])}",
            hint=f"Change `policy` in params.yaml, or run `plmrec promote {verdict['release']}`",
        )
    yield refresh(progress=on_stage("refresh"), **where)


def _validate(dataset: str, progress: Progress, where: dict[str, Any]) -> dict[str, Any]:
    """Validate, telling rows read; how many there are is known only at the end."""
    from plmrec.app.validate import validate

    n_read = 0

    def on_rows(_table: str, count: int) -> None:
        nonlocal n_read
        n_read += count
        progress(n_read, 0)

    return validate(dataset, on_rows=on_rows, **where)
