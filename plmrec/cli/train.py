"""``plmrec train | releases | promote``: releases, from training to champion."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from plmrec.cli import output
from plmrec.cli.main import app


@app.command()
def train(
    if_due: Annotated[
        bool,
        typer.Option("--if-due", help="Only when training.min_interval_days have passed."),
    ] = False,
    as_json: output.JsonOption = False,
) -> None:
    """Tune and fit the recommender and register it as a release; unchanged inputs reuse one."""
    from plmrec.app.train import should_train
    from plmrec.app.train import train as run
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()), output.progress_bar() as bar:
        if not should_train(force=not if_due):
            output.err.print("plmrec train: the last release is recent enough", highlight=False)
            return
        task = bar.add_task("train", total=None)
        report = run(progress=lambda done, total: bar.update(task, completed=done, total=total))
    output.print_reports([report], as_json=as_json)


@app.command()
def releases(as_json: output.JsonOption = False) -> None:
    """List all releases, with their state and the verdict on them."""
    from plmrec.app.releases import list_releases
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()):
        found = list_releases()
    if as_json:
        output.print_json(found)
        return
    rows = [
        {
            "release": each["version"],
            "state": each["state"],
            "verdict": each["verdict"],
            "dataset": each["dataset_digest"][:12],
            "encoder": each["encoder_fingerprint"][:12],
            "taxonomy": _taxonomy(each),
            "recommender": each["recommender_digest"][:12],
            "created": (each["created_at"] or "")[:19],
            "mlflow run": each["mlflow_run_id"],
        }
        for each in found
    ]
    columns = ["release", "state", "verdict", "dataset", "encoder", "taxonomy", "recommender"]
    output.print_table(rows, [*columns, "created", "mlflow run"])


@app.command()
def promote(
    version: Annotated[int, typer.Argument(help="Release to make champion.")],
    as_json: output.JsonOption = False,
) -> None:
    """Make a release the champion by hand; the next refresh builds its index."""
    from plmrec.app.evaluate import promote as run
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()):
        done = run(version)
    if as_json:
        output.print_json(done)
        return
    before = f", in place of {done['previous']}" if done["previous"] else ""
    output.out.print(
        f"Release {done['release']} is champion{before}. Run `plmrec refresh` to let it answer.",
        highlight=False,
        markup=False,
    )


def _taxonomy(release: dict[str, Any]) -> str:
    """Version of a release's taxonomy, and what tells it from others of that version."""
    version, digest = release["taxonomy_version"], release["taxonomy_digest"]
    return "" if version is None else f"{version} {digest[:8]}"
