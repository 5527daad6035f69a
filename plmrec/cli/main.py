"""``plmrec``: the stages the DAGs run, the platform they run on, and questions to the result."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import Annotated, Final

import typer

from plmrec.errors import PlmrecError, TransientError

EXIT_PERMANENT: Final = 2
EXIT_DEFECT: Final = 70  # EX_SOFTWARE of sysexits.h: plmrec itself is wrong
EXIT_TRANSIENT: Final = 75  # EX_TEMPFAIL of sysexits.h: trying again later may help

# Each module adds its commands to the one Typer app; the order is the order of the help text.
_COMMANDS: Final = (
    "run",
    "validate",
    "transcribe",
    "embed",
    "understand",
    "taxonomy",
    "report",
    "pretrain",
    "adapt",
    "encoder",
    "train",
    "evaluate",
    "refresh",
    "recommend",
    "explore",
    "profile",
    "quarantine",
    "bench",
    "bench_speech",
    "bench_quality",
    "bench_pooling",
    "bench_embed",
    "demo",
    "platform",
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help=__doc__,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    workspace: Annotated[
        str | None, typer.Option(help="Folder or URL of the workspace. [env: PLMREC_WORKSPACE]")
    ] = None,
    params: Annotated[
        str | None, typer.Option(help="Path of params.yaml. [env: PLMREC_PARAMS]")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show log lines and tracebacks.")
    ] = False,
) -> None:
    """Options that every command shares; they may also stand after the command's name."""
    for name, value in (("PLMREC_WORKSPACE", workspace), ("PLMREC_PARAMS", params)):
        if value is not None:
            os.environ[name] = value
    if verbose:
        os.environ["PLMREC_VERBOSE"] = "1"


def main() -> None:
    """Run one command; a failure is one line on stderr and exit code 2, 70 or 75."""
    # Idle threads of numeric libraries spin by default and starve whoever shares the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = _shared_options_first(sys.argv[1:])
    verbose = "--verbose" in arguments
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for name in _COMMANDS:
        importlib.import_module(f"plmrec.cli.{name}")
    try:
        app(arguments)
    except PlmrecError as err:
        if verbose:
            logging.getLogger(__name__).exception("failed")
        print(f"plmrec: {' '.join(str(err).split())}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_TRANSIENT if isinstance(err, TransientError) else EXIT_PERMANENT)
    except Exception as err:
        if verbose:
            raise
        what = " ".join(f"{type(err).__name__}: {err}".split())
        print(f"plmrec: unexpected {what}. Run it with --verbose for details", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_DEFECT)


def _shared_options_first(arguments: list[str]) -> list[str]:
    """Move the shared options to the front, so that they may stand anywhere."""
    front: list[str] = []
    rest: list[str] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        if word == "--":
            rest += [word, *queue]
            break
        if word == "--verbose" or word.startswith(("--workspace=", "--params=")):
            front.append(word)
        elif word in {"--workspace", "--params"} and queue:
            front += [word, queue.pop(0)]
        else:
            rest.append(word)
    return front + rest
