"""The process behind ``hearers.ProcessHearer``: jobs come in as lines of JSON, answers go out."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from typing import IO, Any

import psutil

from plmrec.errors import PlmrecError
from plmrec.params import SpeechParams
from plmrec.stages.hearers import LocalHearer, Task
from plmrec.stages.recognisers import Recognisers
from plmrec.stores.workspace import Workspace


class _Full(Exception):
    """The process is larger than it may be, and all it heard is noted."""


class _Ceiling:
    """Ends the work on a long medium once the process has grown too large.

    The first batch is always heard, so that each process gets on, however large its model.
    """

    def __init__(self, max_mb: int) -> None:
        self._max_mb = max_mb
        self._n_batches = 0
        self.is_on = False

    def check(self) -> None:
        self._n_batches += 1
        if self.is_on and self._n_batches > 1 and _resident_mb() > self._max_mb:
            raise _Full


def main() -> None:
    """Answer jobs until no more come."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    setup = json.loads(sys.stdin.readline())
    params = SpeechParams.model_validate(setup["params"])
    ceiling = _Ceiling(params.max_worker_mb)
    hearer = LocalHearer(
        Workspace(setup["workspace"]), Recognisers(params=params), rest=ceiling.check
    )
    for line in sys.stdin:
        tasks = [Task(**values) for values in json.loads(line)]
        ceiling.is_on = len(tasks) == 1  # of several, some may be heard and not noted
        _answer(answers, _heard(hearer, tasks))


def _heard(hearer: LocalHearer, tasks: list[Task]) -> dict[str, Any]:
    try:
        texts = [text.as_json() for text in hearer.hear(tasks)]
    except _Full:
        return {"is_full": True, "mb": _resident_mb()}
    except PlmrecError as err:
        kind = type(err).__name__
        return {"error": {"kind": kind, "message": err.message, "hint": err.hint}}
    return {"texts": texts, "mb": _resident_mb()}


def _answer(answers: IO[str], value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def _resident_mb() -> int:
    return int(psutil.Process().memory_info().rss) >> 20


def _end_with(parent: int) -> None:
    """End at once when the parent is gone: the next run goes on, and two must not."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    main()
