"""``plmrec transcribe``: what is said in every item that is new or changed."""

from __future__ import annotations

from plmrec.cli import output
from plmrec.cli.main import app


@app.command()
def transcribe(as_json: output.JsonOption = False) -> None:
    """Read subtitles, or recognise the speech of media."""
    from plmrec.app.transcribe import transcribe as run

    with output.progress_bar() as bar:
        task = bar.add_task("transcribe", total=None)
        report = run(progress=lambda done, total: bar.update(task, completed=done, total=total))
    output.print_reports([report], as_json=as_json)
