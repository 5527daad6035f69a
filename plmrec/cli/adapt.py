"""``plmrec adapt``: the encoder learns from what people like together."""

from __future__ import annotations

from plmrec.cli import output
from plmrec.cli.main import app
from plmrec.cli.pretrain import RequireGain, train_and_tell


@app.command()
def adapt(require_gain: RequireGain = False, as_json: output.JsonOption = False) -> None:
    """Train the encoder on items people like together and say if the result is better."""
    from plmrec.app.adapt import adapt as run

    train_and_tell(run, "adapt", require_gain=require_gain, as_json=as_json)
