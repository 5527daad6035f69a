"""``plmrec refresh | rollback | live``: the index that answers."""

from __future__ import annotations

from plmrec.cli import output
from plmrec.cli.main import app


@app.command()
def refresh(as_json: output.JsonOption = False) -> None:
    """Build the champion's index, measure its recall, and let it answer if it passes."""
    from plmrec.app.refresh import refresh as run
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()), output.progress_bar() as bar:
        task = bar.add_task("refresh", total=None)
        report = run(progress=lambda done, total: bar.update(task, completed=done, total=total))
    output.print_reports([report], as_json=as_json)


@app.command()
def rollback(as_json: output.JsonOption = False) -> None:
    """Go back to the previous index and its release, at once; a second rollback undoes it."""
    from plmrec.app.refresh import rollback as run
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()):
        live = run()
    if as_json:
        output.print_json(live)
        return
    output.out.print(
        f"Generation {live['generation']} of release {live['release']} answers again; "
        f"generation {live['previous']} of release {live['previous_release']} is kept. "
        f"MLflow is {live['mlflow']}.",
        highlight=False,
        markup=False,
    )


@app.command()
def live(as_json: output.JsonOption = False) -> None:
    """Show which index answers, which one a rollback brings back, and all ever built."""
    from plmrec.app.refresh import show_live
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()):
        found = show_live()
    if as_json:
        output.print_json(found)
        return
    roles = {found["generation"]: "live", found["previous"]: "previous"}
    rows = [
        {
            "generation": each["generation_id"],
            "release": each["release_version"],
            "status": roles.get(each["generation_id"], each["status"]),
            "items": each["n_items"],
            "passages": each["n_passages"],
            "recall@10": each["recall_at_10"],
            "encoder": each["encoder_name"],
            "built": each["created_at"][:19],
            "digest": each["digest"][:12],
        }
        for each in found["generations"]
    ]
    output.print_table(rows, list(rows[0]))
