"""``plmrec bench speech``: recordings whose words are known."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from plmrec.cli import output
from plmrec.cli.bench import bench

_COLUMNS: Final = ("file", "wer", "cer", "words", "errors", "media_s", "seconds", "rtf")


@bench.command()
def speech(
    refs: Annotated[
        Path,
        typer.Option(
            help="Tab-separated: file (relative to this table), text, and whatever else.",
            exists=True,
            dir_okay=False,
        ),
    ],
    compare: Annotated[
        bool,
        typer.Option(
            "--compare/--no-compare", help="Let the bare backend hear the same files, in turns."
        ),
    ] = True,
    shards: Annotated[
        int,
        typer.Option(
            min=0, help="Also run so many shards at once, against one after the other; 0: do not."
        ),
    ] = 0,
    record: Annotated[
        bool,
        typer.Option(
            "--record", help="Keep the result as a version of the registered model plmrec-speech."
        ),
    ] = False,
    as_json: output.JsonOption = False,
) -> None:
    """Transcribe recordings whose words are known: error rates, speed, the cost of the pipeline."""
    from plmrec.app.bench_shards import bench_shards
    from plmrec.app.bench_speech import bench_speech
    from plmrec.platform.services import needed
    from plmrec.settings import load_settings

    stores = needed(load_settings()) if record else nullcontext()
    with stores, output.progress_bar() as bar:
        task = bar.add_task("bench speech", total=None)
        result = bench_speech(
            refs,
            compare=compare,
            keep=record,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
        if shards:
            bar.update(task, description="shards", total=None)
            result["shards"] = bench_shards(refs, n_shards=shards)
    if as_json:
        output.print_json(result)
    else:
        _print_speech(result, refs)


def _print_speech(result: dict[str, Any], refs: Path) -> None:
    """A table of the files, and a line for each comparison."""
    rows = [*result["files"], {"file": "total", **result["total"]}]
    if "bare" in result:
        rows.append({"file": "bare backend", **result["bare"]})
    title = f"{result['recogniser']} {result['detector']}".rstrip()
    output.print_table(rows, _COLUMNS, title=f"{title}, {refs}")
    lines = []
    if result.get("overhead") is not None:
        lines.append(
            f"The pipeline takes {result['overhead']:+.1%} of the time of the bare backend."
        )
    if "shards" in result:
        found = result["shards"]
        lines.append(
            f"{found['n_shards']} shards at once: {found['at_once_s']:.1f} s, one after the other: "
            f"{found['in_turn_s']:.1f} s, {found['speed_up']:.2f} times as fast "
            f"(load before: {found['load']:.2f})."
        )
    if "record" in result:
        lines.append(f"Recorded as version {result['record']['version']} of plmrec-speech.")
    for line in lines:
        output.out.print(line, highlight=False)
