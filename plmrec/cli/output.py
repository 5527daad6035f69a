"""How commands speak: tables for people, JSON for programs, a progress bar on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from plmrec.types import StageReport

JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")]

out = Console()
err = Console(stderr=True)


def print_json(value: Any) -> None:
    """Print one JSON value on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def print_table(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, title: str | None = None
) -> None:
    """Print rows as a table; numbers are aligned to the right.

    Args:
        rows: One mapping per row; missing columns stay empty.
        columns: Which columns, in which order; also the headings.
        title: Line above the table.
    """
    rows = list(rows)
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        numeric = all(isinstance(row.get(column), int | float | None) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    out.print(table)


def print_reports(reports: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print stage reports: as a table, or as JSON (one object, or a list of several)."""
    if as_json:
        print_json(reports[0] if len(reports) == 1 else list(reports))
        return
    columns = list(StageReport(stage="", n_in=0, n_out=0).as_dict())
    print_table(reports, columns)
    for report in reports:
        details = {k: v for k, v in report.items() if k not in columns and v not in (None, {}, [])}
        if details:
            words = "  ".join(f"{key}={_cell(value)}" for key, value in details.items())
            out.print(f"{report['stage']}: {words}", highlight=False, markup=False)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show progress bars on stderr; silent when stderr is not a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        yield progress


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)
