"""``plmrec encoder``: which encoders have vectors here, and the upgrade to another one."""

from __future__ import annotations

from typing import Annotated, Any

import typer
import yaml

from plmrec.cli import output
from plmrec.cli.main import app
from plmrec.cli.pretrain import as_yaml
from plmrec.errors import ParamsError

encoder = typer.Typer(no_args_is_help=True, help="List, upgrade and drop encoders.")
app.add_typer(encoder, name="encoder")


@encoder.command(name="list")
def list_all(as_json: output.JsonOption = False) -> None:
    """List encoders with vectors here, what needs them, and the versions registered."""
    from plmrec.app.encoder_vectors import list_encoders
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()):
        found = list_encoders()
    if as_json:
        output.print_json(found)
        return
    rows = [
        {
            "fingerprint": each["fingerprint"][:12],
            "name": each["name"],
            "use": ", ".join(each["use"]),
            "passages": each.get("passages", 0),
            "size": _size(each.get("bytes", 0)),
            "written": (each.get("written") or "")[:10],
            "versions": ", ".join(map(str, each.get("versions", []))),
        }
        for each in found
    ]
    output.print_table(
        rows, ["fingerprint", "name", "use", "passages", "size", "written", "versions"]
    )


@encoder.command()
def upgrade(
    name: Annotated[
        str,
        typer.Argument(
            help="A version of plmrec-encoder, one trained here, package:NAME, a folder, a hub "
            "name, or a backend."
        ),
    ],
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what it costs: passages, seconds, bytes.")
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(help="KEY=VALUE of encoder.options, such as pooling=cls; may be repeated."),
    ] = None,
    as_json: output.JsonOption = False,
) -> None:
    """Embed with another encoder beside the live vectors, pass the gates, and switch."""
    from plmrec.app.encoder_upgrade import plan_upgrade
    from plmrec.app.encoder_upgrade import upgrade as run
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    options = dict(map(_option, option or []))
    with needed(load_settings()), output.progress_bar() as bar:
        if plan:
            _print_plan(plan_upgrade(name, options), as_json=as_json)
            return
        result = run(name, options, on_stage=lambda stage: _stage_bar(bar, stage))
    if as_json:
        output.print_json(result)
        return
    output.out.print(
        f"{result['encoder']} {result['fingerprint'][:12]} answers: release {result['release']}, "
        f"generation {result['generation']}, recall@10 {result['recall_at_10']:.4f}. "
        f"`plmrec rollback` brings generation {result['previous']} back. Put into params.yaml:",
        highlight=False,
        soft_wrap=True,
    )
    output.out.print(as_yaml(result["params"]), highlight=False, markup=False, soft_wrap=True)


@encoder.command()
def drop(
    fingerprint: Annotated[str, typer.Argument(help="Fingerprint, or its first letters.")],
    as_json: output.JsonOption = False,
) -> None:
    """Remove the vectors of an encoder that nothing needs; its weights and releases stay."""
    from plmrec.app.encoder_vectors import drop_vectors
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    with needed(load_settings()):
        done = drop_vectors(fingerprint)
    if as_json:
        output.print_json(done)
        return
    output.out.print(
        f"Dropped the vectors of {done['fingerprint']}, {_size(done['bytes'])}.", highlight=False
    )


def _print_plan(plan: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.print_json(plan)
        return
    timed = (
        f"about {plan['seconds']:,.0f} s in one process, "
        f"{plan['seconds_per_passage'] * 1000:.1f} ms a passage by a sample of {plan['sampled']}; "
        if plan["sampled"]
        else "none to embed, all items have its vectors; "
    )
    for line in (
        f"from        {plan['from_encoder']} {plan['from_fingerprint'][:12]}",
        f"to          {plan['encoder']} {plan['fingerprint'][:12]}, {plan['dim']} numbers",
        f"items       {plan['items']:,} to embed",
        f"passages    {plan['passages']:,}",
        f"time        {timed}then training, the gates and the index",
        f"vectors     {_size(plan['vector_bytes'])} in the workspace, and again in the index",
    ):
        output.out.print(line, highlight=False, soft_wrap=True)


def _stage_bar(bar: Any, stage: str) -> Any:
    task = bar.add_task(stage, total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)


def _option(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise ParamsError(f"encoder upgrade: expected --option KEY=VALUE, got {text!r}")
    return name.strip(), yaml.safe_load(value)


def _size(n_bytes: int) -> str:
    size = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
