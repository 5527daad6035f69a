"""``plmrec run``: the whole chain in this process."""

from __future__ import annotations

from typing import Annotated

import typer

from plmrec.cli import output
from plmrec.cli.main import app


@app.command()
def run(
    dataset: Annotated[str, typer.Option(help="Folder with items, interactions and media.")],
    as_json: output.JsonOption = False,
) -> None:
    """Validate, transcribe, embed, train, evaluate and refresh, without Airflow."""
    from plmrec.app.run import run as chain
    from plmrec.app.shards import Progress
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    reports = []
    with needed(load_settings()), output.progress_bar() as bar:

        def on_stage(stage: str) -> Progress:
            task = bar.add_task(stage, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total or None)

        for report in chain(dataset, on_stage=on_stage):
            reports.append(report)
            for task in bar.tasks:
                bar.update(task.id, total=task.completed or 1, completed=task.completed or 1)
    output.print_reports(reports, as_json=as_json)
