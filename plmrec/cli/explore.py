"""``plmrec similar | search | trace``: questions to the live index."""

from __future__ import annotations

from typing import Annotated

import typer

from plmrec.cli import output
from plmrec.cli.main import app

_Item = Annotated[str, typer.Argument(help="Id of an item in the live index.")]
_Count = Annotated[int, typer.Option("--k", min=1, max=1000, help="How many items.")]


@app.command()
def similar(item: _Item, k: _Count = 10, as_json: output.JsonOption = False) -> None:
    """List the items most like an item, each with what they have in common."""
    from plmrec.app.explore import similar as run
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()):
        found = run(item, k)
    if as_json:
        output.print_json(found)
        return
    rows = [{**row, "reason": output.spoken(row["reason"], row["reason"]["text"])} for row in found]
    output.print_table(rows, ["rank", "item_id", "title", "score", "reason"])


@app.command()
def search(
    words: Annotated[str, typer.Argument(help="What to look for, in any words.")],
    k: _Count = 10,
    as_json: output.JsonOption = False,
) -> None:
    """List the items with a passage that matches some words, and where it is spoken."""
    from plmrec.app.explore import search as run
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()):
        found = run(words, k)
    if as_json:
        output.print_json(found)
        return
    rows = [{**row, "passage": output.spoken(row, row["passage"])} for row in found]
    output.print_table(rows, ["rank", "item_id", "title", "score", "passage"])


@app.command()
def trace(item: _Item, as_json: output.JsonOption = False) -> None:
    """Print where an item's vector comes from, from media to MLflow run, digests included."""
    from plmrec.app.trace import trace as run
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()):
        found = run(item)
    if as_json:
        output.print_json(found)
        return
    words = {True: "same", False: "changed since", None: ""}
    rows = [{**step, "workspace": words[step["is_current"]]} for step in found["steps"]]
    title = f"{found['item_id']}  {found['title']}"
    output.print_table(rows, ["step", "digest", "facts", "workspace"], title=title)
