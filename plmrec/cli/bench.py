"""``plmrec bench``: how well and how fast a backend works, on data with known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from plmrec.cli import output
from plmrec.cli.main import app

bench = typer.Typer(no_args_is_help=True, help="Measure backends on data with known answers.")
app.add_typer(bench, name="bench")

_COLUMNS: Final = ("file", "wer", "cer", "words", "errors", "media_s", "seconds", "rtf")


@bench.callback()
def _family() -> None:
    """Measure backends on data with known answers."""


@bench.command()
def speech(
    refs: Annotated[
        Path,
        typer.Option(
            help="Tab-separated: file (relative to this table), text, and whatever else.",
            exists=True,
            dir_okay=False,
        ),
    ],
    as_json: output.JsonOption = False,
) -> None:
    """Transcribe recordings whose words are known: word error rate and real-time factor."""
    from plmrec.app.bench import bench_speech

    with output.progress_bar() as bar:
        task = bar.add_task("bench speech", total=None)
        result = bench_speech(
            refs, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    if as_json:
        output.print_json(result)
        return
    rows = [*result["files"], {"file": "total", **result["total"]}]
    output.print_table(rows, _COLUMNS, title=f"{result['recogniser']}, {refs}")
