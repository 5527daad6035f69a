"""``plmrec evaluate``: challenger against champion, and the policy's verdict."""

from __future__ import annotations

from typing import Annotated

import typer

from plmrec.cli import output
from plmrec.cli.main import app


@app.command()
def evaluate(
    version: Annotated[
        int | None, typer.Option("--release", help="Release to judge; the challenger by default.")
    ] = None,
    promote: Annotated[
        bool,
        typer.Option(
            "--promote/--no-promote", help="Promote what passes, or leave it to `plmrec promote`."
        ),
    ] = True,
    as_json: output.JsonOption = False,
) -> None:
    """Compare challenger and champion on the same held-out interactions and apply the policy."""
    from plmrec.app.evaluate import evaluate as run
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()):
        report = run(version, promote=promote)
    if as_json:
        output.print_json(report)
        return
    reasons = report.pop("reasons", [])
    output.print_reports([report], as_json=False)
    output.out.print(f"Release {report['release']}: {report['decision']}", highlight=False)
    for reason in reasons:
        output.out.print(f"  {reason}", highlight=False, markup=False)
