"""``plmrec bench``: how well and how fast a backend works, on data with known answers.

Each benchmark is a module of its own, ``bench_<name>.py``, which adds its command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from plmrec.cli.main import app

bench = typer.Typer(no_args_is_help=True, help="Measure backends on data with known answers.")
app.add_typer(bench, name="bench")

DatasetOption: TypeAlias = Annotated[
    Path,
    typer.Option(help="Folder that follows the dataset contract.", exists=True, file_okay=False),
]


@bench.callback()
def _family() -> None:
    """Measure backends on data with known answers."""
