"""``plmrec validate``."""

from __future__ import annotations

from typing import Annotated

import typer

from plmrec.cli.main import app
from plmrec.cli.output import JsonOption, print_json, print_reports, print_table, progress_bar


@app.command()
def validate(
    dataset: Annotated[str, typer.Option(help="Folder with items, interactions and media.")],
    as_json: JsonOption = False,
) -> None:
    """Read, normalise and judge a dataset; quarantine what is bad; snapshot the rest."""
    from plmrec.app.validate import validate as run

    with progress_bar() as progress:
        tasks = {
            table: progress.add_task(f"read {table}", total=None, visible=False)
            for table in ("items", "users", "interactions")
        }

        def on_rows(table: str, count: int) -> None:
            progress.update(tasks[table], advance=count, visible=True)

        report = run(dataset, on_rows=on_rows)
    print_reports([report], as_json=as_json)


@app.command()
def restore(
    digest: Annotated[str, typer.Argument(help="Digest of the dataset, as `validate` printed it.")],
    as_json: JsonOption = False,
) -> None:
    """Bring the workspace's dataset back to an earlier snapshot; the chain goes on from it."""
    from plmrec.app.validate import restore_dataset

    manifest = restore_dataset(digest)
    if as_json:
        print_json(manifest)
    else:
        print_table([{**manifest, **manifest["counts"]}], ["digest", "source", *manifest["counts"]])
