"""``plmrec bench pooling``: ways to make one vector of an item's passages."""

from __future__ import annotations

from typing import Any, Final

from plmrec.cli import output
from plmrec.cli.bench import DatasetOption, bench
from plmrec.text.numbers import number

_LEVEL: Final = 0.05  # p-values below are beyond chance


@bench.command()
def pooling(
    *,
    dataset: DatasetOption,
    as_json: output.JsonOption = False,
) -> None:
    """Compare the ways to pool an item's passages: likes and texts found by their vectors."""
    from plmrec.app.bench_pooling import bench_pooling

    with output.progress_bar() as bar:
        task = bar.add_task("bench pooling", total=None)

        def tell(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total or None, description=what)

        result = bench_pooling(str(dataset), progress=tell)
    if as_json:
        output.print_json(result)
        return
    measures = list(result["poolings"][0]["measures"])
    rows = [
        {"pooling": each["pooling"], **{name: _against(each, name) for name in measures}}
        for each in result["poolings"]
    ]
    title = f"{result['dataset']}, {result['encoder']}, {result['items']} items, k {result['k']}"
    output.print_table(rows, ["pooling", *measures], title=title)
    counts = {name: each["n"] for name, each in result["poolings"][0]["measures"].items()}
    output.out.print(
        f"Judged by: {', '.join(f'{name} {n}' for name, n in counts.items())}. * differs from "
        "parts beyond chance (p < 0.05, Holm)",
        highlight=False,
    )


def _against(pooling: dict[str, Any], measure: str) -> str:
    """Mean of a measure, with a star where it differs from that of ``parts`` beyond chance."""
    p_value = pooling["against_parts"][measure]["p_value"]
    star = "*" if p_value is not None and p_value < _LEVEL else ""
    return f"{number(pooling['measures'][measure]['mean'])}{star}"
