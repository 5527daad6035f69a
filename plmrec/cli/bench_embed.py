"""``plmrec bench embed``: the speed of the encoder, against sentence-transformers as it comes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from plmrec.cli import output
from plmrec.cli.bench import bench

_COLUMNS: Final = (
    "side", "texts/s", "seconds", "cpu s", "peak MB", "cosine mean", "cosine min",
)  # fmt: skip


@bench.command()
def embed(
    *,
    dataset: Annotated[
        Path | None,
        typer.Option(
            help="Folder that follows the dataset contract: titles and descriptions are embedded; "
            "without one, made-up texts.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    texts: Annotated[
        int | None,
        typer.Option(min=1, help="Texts to embed; all of the dataset, or 1000 made-up ones."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each side.")] = 3,
    report: Annotated[
        Path | None, typer.Option("--output", help="Also write the result there, as JSON.")
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Embed texts with sentence-transformers' defaults and with ours: speed, likeness, memory."""
    from plmrec.app.bench_embed import bench_embed as run

    with output.progress_bar() as bar:
        task = bar.add_task("bench embed", total=None)

        def tell(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        result = run(dataset, n_texts=texts, rounds=rounds, progress=tell)
    if report:
        output.write_json(report, result)
    if as_json:
        output.print_json(result)
    else:
        _print_embed(result)


def _print_embed(result: dict[str, Any]) -> None:
    """A row for each side, and lines for the comparison and the machine."""
    likeness = {"cosine mean": result["cosine_mean"], "cosine min": result["cosine_min"]}
    rows = [
        {
            "side": name,
            "texts/s": result["texts_per_s"][side],
            "seconds": result["seconds"][side],
            "cpu s": result["cpu_s"][side],
            "peak MB": result["peak_mb"][side],
            **(likeness if side == "ours" else {}),
        }
        for side, name in (
            ("default", "default, float32"),
            ("ours", f"ours, {result['precision']}"),
        )
    ]
    title = f"{result['encoder']}, {result['texts']} texts, {result['tokens']} tokens"
    output.print_table(rows, _COLUMNS, title=title)
    low, high = result["ratio_range"]
    output.out.print(
        f"ratio {result['ratio']:.2f} (median of {result['rounds']} rounds, {low:.2f} to "
        f"{high:.2f}); by processor time {result['cpu_ratio']:.2f}",
        highlight=False,
    )
    output.out.print(
        f"{result['cores']} cores, {' '.join(result['features']) or 'features unknown'}; load "
        f"{result['load_before']} before, {result['load_after']} after",
        highlight=False,
    )
