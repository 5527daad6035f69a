"""``plmrec understand``: what everything new or changed is about."""

from __future__ import annotations

from plmrec.cli import output
from plmrec.cli.main import app


@app.command()
def understand(as_json: output.JsonOption = False) -> None:
    """Find language, summary, keywords, topic, mood and tags of every document."""
    from plmrec.app.understand import understand as run

    with output.progress_bar() as bar:
        task = bar.add_task("understand", total=None)
        report = run(progress=lambda done, total: bar.update(task, completed=done, total=total))
    output.print_reports([report], as_json=as_json)
