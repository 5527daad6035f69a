"""``plmrec pretrain``: the encoder goes on learning from the platform's own texts."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from plmrec.cli import output
from plmrec.cli.main import app
from plmrec.text.numbers import ends, number

RequireGain = Annotated[
    bool,
    typer.Option(
        "--require-gain", help="Fail when the new version is not better than the encoder in use."
    ),
]


@app.command()
def pretrain(require_gain: RequireGain = False, as_json: output.JsonOption = False) -> None:
    """Train the encoder further on the workspace's documents and say if the result is better."""
    from plmrec.app.pretrain import pretrain as run

    train_and_tell(run, "pretrain", require_gain=require_gain, as_json=as_json)


def train_and_tell(run: Any, name: str, *, require_gain: bool, as_json: bool) -> None:
    """Run a training of the encoder with its progress, and print what came of it."""
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()), output.progress_bar() as bar:
        task = bar.add_task(name, total=None)

        def tell(what: str) -> Any:
            return lambda done, total: bar.update(
                task, completed=done, total=total, description=what
            )

        result = run(
            require_gain=require_gain, progress=tell(name), embedding=tell("embed with the new one")
        )
    if as_json:
        output.print_json(result)
    else:
        _print(result)


def _print(result: dict[str, Any]) -> None:
    """The measures before and after, and the lines for params.yaml."""
    rows = [
        {
            "measure": each["measure"],
            "n": each["n"],
            "before": number(each["before"]),
            "after": number(each["after"]),
            "difference": number(each["difference"]),
            "interval": ends((each["difference"], each["low"], each["high"])),
            "p, Holm": number(each["p_value"]),
        }
        for each in result["changes"]
    ]
    version = result["mlflow"]["version"]
    again = "" if result["is_new"] else ", trained before"
    output.print_table(
        rows,
        ["measure", "n", "before", "after", "difference", "interval", "p, Holm"],
        title=f"{result['encoder']}, version {version} of plmrec-encoder{again}",
    )
    said = (
        "objective",
        "steps",
        "loss_before",
        "loss_after",
        "pairs",
        "paired_items",
        "text_pairs",
    )
    told = {name: result[name] for name in said if name in result}
    output.out.print(
        "  ".join(
            f"{name}={number(value) if isinstance(value, float) else value}"
            for name, value in told.items()
        ),
        highlight=False,
    )
    if not result["adopted"]:
        output.out.print(
            f"Not better: keep `encoder` in params.yaml as it is. It stays in {result['folder']}",
            highlight=False,
        )
        return
    output.out.print(
        f"Better. See what it costs with `plmrec encoder upgrade {version} --plan`"
        ", upgrade without --plan, then put into params.yaml:",
        highlight=False,
    )
    output.out.print(as_yaml(result["params"]), highlight=False, markup=False, soft_wrap=True)


def as_yaml(value: dict[str, Any]) -> str:
    """A section as params.yaml has it."""
    import yaml

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True)).rstrip()
