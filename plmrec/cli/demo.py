"""``plmrec demo``: the whole chain under the real scheduler, and what came of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from plmrec.cli import output
from plmrec.cli.main import app
from plmrec.settings import load_settings

if TYPE_CHECKING:
    from plmrec.platform.chain import Failure, Step

_FAILED = 1


@app.command()
def demo(
    dataset: Annotated[Path, typer.Option(help="Folder of the dataset.")],
    keep_up: Annotated[bool, typer.Option("--keep-up", help="Leave the platform running.")] = False,
    timeout_min: Annotated[
        float, typer.Option(min=0.1, help="Longest wait for the chain, minutes.")
    ] = 60.0,
    as_json: output.JsonOption = False,
) -> None:
    """Start the platform, run the six DAGs on a dataset, show the results, stop the platform."""
    from plmrec.platform import demo as demonstration

    demonstration.check_dataset(dataset)
    settings = load_settings()
    with demonstration.platform_up(settings, keep=keep_up, say=_say) as folder:
        with _live_table() as show:
            failure = demonstration.run_chain(
                folder, dataset, timeout_s=60 * timeout_min, on_poll=show
            )
        if failure is not None:
            _print_failure(failure)
            raise typer.Exit(_FAILED)
        found = demonstration.results(settings)
        pages = demonstration.pages(settings)
        if as_json:
            output.print_json(found)
        else:
            _print_results(found)
    if not as_json:
        _print_next(settings.workspace, next(iter(found["lists"]), "USER"), pages)


def _say(line: str) -> None:
    output.err.print(f"  {line}", highlight=False, markup=False)


@contextmanager
def _live_table() -> Iterator[Callable[[Sequence[Step]], None]]:
    """Show the steps: as a table that changes on a terminal, else a line per change."""
    if output.err.is_terminal:
        with Live(console=output.err, auto_refresh=False) as live:
            yield lambda steps: live.update(_steps_table(steps), refresh=True)
        return
    shown: dict[str, tuple[str, int]] = {}

    def show(steps: Sequence[Step]) -> None:
        for step in steps:
            if step.runs and shown.get(step.dag_id) != (step.state, step.runs):
                shown[step.dag_id] = (step.state, step.runs)
                _say(f"{step.dag_id}: {step.state} ({step.seconds:.1f} s)")

    yield show


def _steps_table(steps: Sequence[Step]) -> Table:
    colours = {"success": "green", "failed": "red", "running": "yellow", "queued": "cyan"}
    table = Table("DAG", "state", "tasks", "now", "seconds", header_style="bold")
    for step in steps:
        colour = colours.get(step.state, "dim")
        table.add_row(
            step.dag_id,
            Text(step.state, style=colour),
            f"{step.done}/{step.total}" if step.total else "",
            ", ".join(step.active),
            f"{step.seconds:.1f}" if step.runs else "",
        )
    return table


def _print_failure(failure: Failure) -> None:
    _say(f"{failure.dag_id}: task {failure.task_id or '(none)'} failed in run {failure.run_id}")
    for line in failure.lines:
        _say(f"  | {line}")


def _print_results(found: Mapping[str, Any]) -> None:
    columns = ["stage", "in", "out", "quarantined", "computed", "reused", "seconds"]
    output.print_table(found["reports"], columns, title="What each stage did")
    reports = {report["stage"]: report for report in found["reports"]}
    rows = _metric_rows(reports)
    if rows:
        output.print_table(rows, list(rows[0]), title="Metrics")
    verdict = reports.get("evaluate", {})
    if "decision" in verdict:
        output.out.print(f"Decision: {verdict['decision']}", highlight=False, markup=False)
        for reason in verdict.get("reasons", []):
            output.out.print(f"  {reason}", highlight=False, markup=False)
    output.print_table(found["quarantine"], ["table", "reason", "count"], title="Quarantine")
    for user, rows in found["lists"].items():
        shown = [{**row, "reason": _reason(row)} for row in rows]
        output.print_table(
            shown, ["rank", "title", "source", "reason"], title=f"For user {user}, with reasons"
        )


def _reason(row: Mapping[str, Any]) -> str:
    reason = row.get("reason")
    return str(reason.get("text", "")) if isinstance(reason, Mapping) else str(reason or "")


def _metric_rows(reports: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Metrics of the training and of the evaluation, side by side, numbers only."""
    columns = {
        stage: {
            name: value
            for name, value in _flat(reports.get(stage, {}).get("metrics") or {}).items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        for stage in ("train", "evaluate")
    }
    names = list(dict.fromkeys(name for values in columns.values() for name in values))
    shown = {stage: values for stage, values in columns.items() if values}
    return [
        {"metric": name, **{stage: values.get(name) for stage, values in shown.items()}}
        for name in names
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found.update(_flat(value, f"{prefix}{name} "))
        else:
            found[f"{prefix}{name}"] = value
    return found


def _print_next(workspace: str, user: str, pages: Mapping[str, str]) -> None:
    plmrec = _program() + ("" if workspace == ".plmrec" else f" --workspace {workspace}")
    lines = (
        "Go on with:",
        f"  {plmrec} up",
        *(f"      {name}: {address}" for name, address in pages.items()),
        f"  {plmrec} recommend --user {user} --k 10",
        f"  {plmrec} search 'words'",
        f"  {plmrec} quarantine list",
        f"  {plmrec} doctor",
    )
    for line in lines:
        output.out.print(line, highlight=False, markup=False, soft_wrap=True)


def _program() -> str:
    """How to call plmrec from this folder: by its name where the shell would find this one."""
    here = Path(sys.argv[0])
    found = shutil.which("plmrec")
    if here.name != "plmrec" or (found and Path(found).resolve() == here.resolve()):
        return "plmrec"
    return str(here.resolve().relative_to(Path.cwd())) if _is_below(here) else str(here)


def _is_below(path: Path) -> bool:
    return path.resolve().is_relative_to(Path.cwd())
