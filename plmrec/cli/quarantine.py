"""``plmrec quarantine``: what was refused, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from plmrec.cli.main import app
from plmrec.cli.output import JsonOption, out, print_json, print_table

quarantine = typer.Typer(no_args_is_help=True, help="Rows and files that were refused.")
app.add_typer(quarantine, name="quarantine")


@quarantine.callback()
def options() -> None:
    """Rows and files that were refused."""


@quarantine.command("list")
def list_refusals(
    reason: Annotated[str | None, typer.Option(help="Only this reason code.")] = None,
    table: Annotated[str | None, typer.Option(help="Only this table.")] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="Most rows to show of each reason; --json shows all.")
    ] = 3,
    as_json: JsonOption = False,
) -> None:
    """Count refused rows and files by reason, and show some with their origin."""
    from plmrec.app.quarantine import list_quarantine

    found = list_quarantine(reason=reason, table=table, limit=None if as_json else limit)
    if as_json:
        print_json(found)
        return
    if not found["total"]:
        out.print("Nothing was refused.")
        return
    print_table(found["counts"], ["stage", "table", "reason", "count"])
    print_table(
        found["refusals"],
        ["table", "reason", "origin", "key", "detail"],
        title=f"{len(found['refusals'])} of {found['total']:,}; all of them with --json",
    )
