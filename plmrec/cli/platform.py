"""``plmrec up | down | status | doctor | logs | demo``: the platform around the stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Annotated

import typer

from plmrec.cli.main import app
from plmrec.cli.output import JsonOption, err, out, print_json, print_table
from plmrec.settings import load_settings

_FAILED = 1


@app.command()
def up(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. [env: PLMREC_HOST; 127.0.0.1]")
    ] = None,
    only: Annotated[
        str, typer.Option(help="Some of postgres,mlflow,airflow; all when left out.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Start PostgreSQL, MLflow and Airflow in the workspace, and wait until they answer."""
    from plmrec.platform import control

    settings = load_settings(host=host)
    parts = [part.strip() for part in only.split(",") if part.strip()]
    with _lines("Starting the platform") as say:
        rows = control.up(settings, only=parts, say=say)
    if as_json:
        print_json(rows)
        return
    _print_status(rows)
    _print_logins(control.logins(settings))


@app.command()
def down() -> None:
    """Stop what `plmrec up` started; no process is left."""
    from plmrec.platform import control

    with _lines("Stopping the platform") as say:
        control.down(load_settings(), say=say)
    err.print("Nothing runs any more.")


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show what runs, where, and since when."""
    from plmrec.platform import control

    settings = load_settings()
    rows = control.status(settings)
    if as_json:
        print_json(rows)
        return
    _print_status(rows)
    _print_logins(control.logins(settings))


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check each part by using it, and say in one line each what is wrong and what to do."""
    from plmrec.platform import doctor as checks

    with _lines("Checking the platform") as say:
        findings = [finding.as_dict() for finding in checks.examine(load_settings(), say=say)]
    failed = [finding for finding in findings if not finding["ok"]]
    if as_json:
        print_json(findings)
    else:
        rows = [{**finding, "ok": "ok" if finding["ok"] else "FAILED"} for finding in findings]
        print_table(rows, ["part", "ok", "seconds", "finding", "hint"])
    if failed:
        raise typer.Exit(_FAILED)


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="Such as airflow-scheduler; all if none.")] = "",
    lines: Annotated[int, typer.Option("-n", min=0, help="Last lines of each log.")] = 20,
    follow: Annotated[bool, typer.Option("-f", help="Go on with what is written next.")] = False,
) -> None:
    """Show what the services write."""
    from plmrec.platform import logs as service_logs

    for line in service_logs.read(load_settings(), service, lines=lines, follow=follow):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _lines(title: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner on a terminal, and one line on stderr for each thing done."""
    with err.status(f"{title} …"):
        yield lambda line: err.print(f"  {line}", highlight=False, markup=False)


def _print_status(rows: list[dict[str, object]]) -> None:
    shown = [{**row, "since": _local_time(str(row["since"]))} for row in rows]
    print_table(shown, ["service", "state", "pid", "address", "since"])


def _local_time(since: str) -> str:
    """Time of day here; with the date unless it is today's."""
    if not since:
        return ""
    when = datetime.fromisoformat(since).astimezone()
    today = when.date() == datetime.now(timezone.utc).astimezone().date()
    return when.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def _print_logins(found: dict[str, str]) -> None:
    for name, value in found.items():
        out.print(f"{name}: {value}", highlight=False, markup=False, soft_wrap=True)
