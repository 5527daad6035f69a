"""``plmrec embed``: documents, passages and vectors of everything new or changed."""

from __future__ import annotations

from plmrec.cli import output
from plmrec.cli.main import app


@app.command()
def embed(as_json: output.JsonOption = False) -> None:
    """Turn items and transcripts into passage and item vectors."""
    from plmrec.app.embed import embed as run

    with output.progress_bar() as bar:
        task = bar.add_task("embed", total=None)
        report = run(progress=lambda done, total: bar.update(task, completed=done, total=total))
    output.print_reports([report], as_json=as_json)
