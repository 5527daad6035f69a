"""``plmrec transcribe``: what is said in every item that is new or changed."""

from __future__ import annotations

from contextlib import nullcontext

from plmrec.cli import output
from plmrec.cli.main import app


@app.command()
def transcribe(as_json: output.JsonOption = False) -> None:
    """Read subtitles, or recognise the speech of media."""
    from plmrec.app.transcribe import transcribe as run
    from plmrec.params import load_params
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    settings = load_settings()
    is_gated = load_params(settings.params).speech.golden is not None
    stores = needed(settings) if is_gated else nullcontext()
    with stores, output.progress_bar() as bar:
        task = bar.add_task("transcribe", total=None)
        report = run(progress=lambda done, total: bar.update(task, completed=done, total=total))
    output.print_reports([report], as_json=as_json)
