"""``plmrec recommend``: lists for one user, with reasons, or for all of them into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plmrec.cli import output
from plmrec.cli.main import app
from plmrec.errors import ParamsError


@app.command()
def recommend(
    user: Annotated[
        str | None, typer.Option("--user", help="Id of the user; an unknown one is welcome.")
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every user of the dataset.")] = False,
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="Items per user.")] = 10,
    file: Annotated[
        Path | None,
        typer.Option("--output", help="With --all: file to write, .csv or .parquet."),
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Recommend unseen items to a user, each with its reason; or to all users, into a file."""
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    if everyone == (user is not None) or everyone != (file is not None):
        raise ParamsError(
            "recommend: expected --user U, or --all with --output FILE",
            hint="See `plmrec recommend --help`",
        )
    with needed(load_settings()):
        if user is not None:
            _show_user(user, k, as_json=as_json)
        elif file is not None:
            _write_all(file, k, as_json=as_json)


def _show_user(user: str, k: int, *, as_json: bool) -> None:
    from plmrec.app.answers import recommend as answer

    found = answer(user, k)
    if as_json:
        output.print_json(found)
        return
    rows = [{**row, "reason": row["reason"]["text"]} for row in found]
    release = f", release {found[0]['release']}" if found else ""
    output.print_table(
        rows,
        ["rank", "item_id", "title", "score", "source", "reason"],
        title=f"For user {user}{release}",
    )


def _write_all(file: Path, k: int, *, as_json: bool) -> None:
    from plmrec.app.answers import recommend_all

    with output.progress_bar() as bar:
        task = bar.add_task("recommend", total=None)
        summary = recommend_all(
            k, file, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    if as_json:
        output.print_json(summary)
        return
    output.out.print(
        f"{summary['rows']:,} rows for {summary['users']:,} users in {summary['seconds']} s, "
        f"by release {summary['release']}: {summary['output']}",
        highlight=False,
        markup=False,
    )
