"""How commands speak: tables for people, JSON for programs, a progress bar on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from plmrec.errors import ParamsError
from plmrec.types import StageReport

JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")]

_SHORT: Final = 18  # characters; a column of such cells is never folded

out = Console(markup=False)
err = Console(stderr=True, markup=False)


def print_json(value: Any) -> None:
    """Print one JSON value on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def write_json(path: Path, value: Any) -> None:
    """Write one JSON value to a file, making its folder.

    Raises:
        ParamsError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")
    except OSError as err:
        raise ParamsError(f"--output: cannot write {path}: {err.strerror}") from err


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
    table = Table(
        title=title,
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in columns:
        numeric = all(isinstance(row.get(column), int | float | None) for row in rows)
        width = max((len(_cell(row.get(column))) for row in rows), default=0)
        table.add_column(
            column,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=numeric or width <= _SHORT,
        )
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    out.print(table)


def print_reports(reports: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print stage reports: as a table, or as JSON (one object, or a list of several)."""
    if as_json:
        print_json(reports[0] if len(reports) == 1 else list(reports))
        return
    columns = list(StageReport(stage="", n_in=0, n_out=0).as_dict())
    shown = [{**report, "digest": str(report["digest"])[:10]} for report in reports]
    print_table(shown, columns)
    for report in reports:
        details = {key: value for key, value in report.items() if key not in columns}
        for line in _detail_lines(details):
            out.print(f"{report['stage']}: {line}", highlight=False, markup=False)


def _detail_lines(details: Mapping[str, Any]) -> Iterator[str]:
    """Plain values on one line; a mapping or a list on a line of its own."""
    plain = {key: value for key, value in details.items() if not isinstance(value, dict | list)}
    words = [f"{key}={_cell(value)}" for key, value in plain.items() if value not in {None, ""}]
    if words:
        yield "  ".join(words)
    for key, value in details.items():
        if isinstance(value, dict) and value:
            yield f"{key}: " + "  ".join(f"{name}={_cell(part)}" for name, part in value.items())
        elif isinstance(value, list) and value:
            yield f"{key}: " + "; ".join(_cell(part) for part in value)


def spoken(place: Mapping[str, Any], text: str, longest: int = 160) -> str:
    """Shorten a text, with the time in front when it was spoken."""
    short = text if len(text) <= longest else f"{text[:longest].rstrip()}…"
    if place["start_s"] is None:
        return short
    return f"[{_clock(place['start_s'])}-{_clock(place['end_s'])}] {short}"


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
    if isinstance(value, dict):
        return "(" + " ".join(f"{name}={_cell(part)}" for name, part in value.items()) + ")"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
