"""``plmrec taxonomy``: the versions of the interest tags."""

from __future__ import annotations

from typing import Annotated

import typer

from plmrec.cli import output
from plmrec.cli.main import app

taxonomy = typer.Typer(no_args_is_help=True, help="Show and renew the interest tags.")
app.add_typer(taxonomy, name="taxonomy")

_Version = Annotated[int, typer.Argument(min=1, help="Version of the taxonomy.")]


@taxonomy.command("list")
def list_versions(as_json: output.JsonOption = False) -> None:
    """List the versions and how many tags of each origin they have."""
    from plmrec.app.taxonomy import versions as run

    found = run()
    if as_json:
        output.print_json(found)
        return
    rows = [{**row, "digest": row["digest"][:10], "encoder": row["encoder"][:10]} for row in found]
    columns = ("version", "tags", "curated", "genre", "creator", "mined", "digest", "encoder")
    output.print_table(rows, columns)


@taxonomy.command()
def show(
    version: Annotated[
        int | None, typer.Argument(min=1, help="Version; the newest by default.")
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Show the tags of a version, and how many items carry each now."""
    from plmrec.app.taxonomy import show as run

    found = run(version)
    if as_json:
        output.print_json(found)
        return
    output.print_table(found, ("tag_id", "name", "items", "labels", "offset", "scale"))


@taxonomy.command()
def build(as_json: output.JsonOption = False) -> None:
    """Find tags and topics anew in the corpus as it is; what says the same stays as it is."""
    from plmrec.app.understand import renew as run

    found = run()
    if as_json:
        output.print_json(found)
        return
    output.print_table([found], list(found))
    output.out.print("Run `plmrec understand` to give the items these tags.", highlight=False)


@taxonomy.command()
def diff(old: _Version, new: _Version, as_json: output.JsonOption = False) -> None:
    """Show what differs between two versions."""
    from plmrec.app.taxonomy import diff as run

    found = run(old, new)
    if as_json:
        output.print_json(found)
        return
    title = f"version {old} to version {new}: {len(found)} changes"
    output.print_table(found, ("change", "tag_id", "name", "detail"), title=title)
