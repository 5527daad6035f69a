"""``plmrec report``: pages for people about what the workspace holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plmrec.cli import output
from plmrec.cli.main import app

report = typer.Typer(no_args_is_help=True, help="Write pages for people about the workspace.")
app.add_typer(report, name="report")


@report.callback()
def _subject() -> None:
    """Write pages for people about the workspace."""


@report.command()
def text(
    page: Annotated[
        Path | None,
        typer.Option("--output", help="File of the page; reports/text.html of the workspace."),
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Report on the texts: counts, languages, topics, tags, samples, the emptiest and oddest."""
    from plmrec.app.text_report import text_report as run

    found = run(output=page)
    if as_json:
        output.print_json(found)
        return
    rows = [{"items": count, "which": name} for name, count in found["counts"].items()]
    output.print_table(rows, ("items", "which"))
    if found["masked"]:
        told = ", ".join(f"{kind} {count}" for kind, count in found["masked"].items())
        output.out.print(f"personal data masked: {told}", highlight=False)
    output.out.print(f"page: {found['page']}", highlight=False, soft_wrap=True)
