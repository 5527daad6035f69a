"""Who hears: this process, or one that is replaced when it grows or dies."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final, Protocol

import plmrec.errors
from plmrec.digests import digest_json
from plmrec.errors import BackendUnavailableError, PlmrecError
from plmrec.params import SpeechParams
from plmrec.stages.hearing import Medium, hear
from plmrec.stages.item_text import ItemText, Problem, without_query
from plmrec.stages.media_files import MediaFiles
from plmrec.stages.recognisers import Recognisers
from plmrec.stages.transcript_files import ShardNotes
from plmrec.stores.workspace import Workspace

log = logging.getLogger(__name__)

DIED: Final = "recogniser_died"  # code of the quarantine
_TRIES: Final = 2  # a medium over which the process dies so often is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A medium to hear.

    Attributes:
        shard: Of its item.
        item_id: Its item.
        media: File or address.
        language: As the item says.
        input_digest: Of all the text depends on; notes with another one do not count.
        choice: Number of the recogniser's entry in params.yaml.
        is_safer: Whether to hear with the safer options.
    """

    shard: str
    item_id: str
    media: str
    language: str | None
    input_digest: str
    choice: int
    is_safer: bool = False


class Hearer(Protocol):
    """Hears media."""

    def hear(self, tasks: Sequence[Task]) -> list[ItemText]:
        """Hear some media with one recogniser; see ``hearing.hear``.

        Args:
            tasks: Of one shard and one recogniser.

        Raises:
            BackendUnavailableError: The weights are not there.
        """

    def close(self) -> None:
        """Free what it holds; it may be used again."""


class LocalHearer:
    """Hears in this process.

    Args:
        workspace: With the media and the notes.
        recognisers: Loaded once, at the first sound.
        rest: See ``hearing.hear``.
    """

    def __init__(
        self,
        workspace: Workspace,
        recognisers: Recognisers,
        *,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self._workspace = workspace
        self._files = MediaFiles(workspace)
        self._recognisers = recognisers
        self._rest = rest

    def hear(self, tasks: Sequence[Task]) -> list[ItemText]:
        """See Hearer.hear."""
        choice = self._recognisers.choices[tasks[0].choice]
        recogniser = choice.safer if tasks[0].is_safer else choice.first
        if recogniser is None:
            raise BackendUnavailableError("speech: expected safer_options, found none")
        inputs = {task.item_id: digest_json([task.input_digest, task.is_safer]) for task in tasks}
        return hear(
            [
                Medium(
                    key=task.item_id,
                    origin=task.media,
                    open=partial(self._files.open, task.media),
                    language=task.language,
                )
                for task in tasks
            ],
            recogniser=recogniser,
            detector=self._recognisers.detector,
            max_s=self._recognisers.params.max_duration_s,
            notes=ShardNotes(self._workspace, tasks[0].shard, inputs),
            rest=self._rest,
        )

    def close(self) -> None:
        """See Hearer.close."""


class ProcessHearer:
    """Hears in a process of its own, which goes on where the one before it stopped.

    It is started at the first medium, replaced when its memory passes the ceiling (inside a
    long medium too, at a pause), and started again when it dies. The medium in hand is then
    tried once more from the last pause, and refused as ``recogniser_died`` when that fails.

    Args:
        workspace_url: Folder or URL of the workspace.
        params: Which recognisers; ``max_worker_mb`` is the ceiling.
    """

    def __init__(self, workspace_url: str, params: SpeechParams) -> None:
        self._setup = {"workspace": workspace_url, "params": params.model_dump(mode="json")}
        self._max_mb = params.max_worker_mb
        self._process: subprocess.Popen[str] | None = None
        self.n_started = 0

    def hear(self, tasks: Sequence[Task]) -> list[ItemText]:
        """See Hearer.hear."""
        for number in range(_TRIES):
            reply = self._ask(tasks)
            while reply is not None and reply.get("is_full"):
                log.info("speech: process of %d MB replaced in %s", reply["mb"], tasks[0].item_id)
                self.close()
                reply = self._ask(tasks)
            if reply is not None:
                return self._texts(reply)
            how = self._end()
            log.warning("speech: the process died (%s) over %s", how, tasks[0].item_id)
            if len(tasks) > 1:  # which of them it was shows when each is heard by itself
                return [text for task in tasks for text in self.hear([task])]
            if number == _TRIES - 1:
                return [_refused(tasks[0], how)]
        raise AssertionError  # not reached

    def close(self) -> None:
        """See Hearer.close."""
        self._end()

    def _texts(self, reply: dict[str, Any]) -> list[ItemText]:
        if "error" in reply:
            kind = getattr(plmrec.errors, reply["error"]["kind"], PlmrecError)
            raise kind(reply["error"]["message"], hint=reply["error"]["hint"])
        if reply["mb"] > self._max_mb:
            log.info("speech: process of %d MB replaced", reply["mb"])
            self.close()
        return [ItemText.from_json(text) for text in reply["texts"]]

    def _ask(self, tasks: Sequence[Task]) -> dict[str, Any] | None:
        """Send a job; None when the process dies over it."""
        process = self._process or self._start()
        if process.stdin is None or process.stdout is None:
            return None
        try:
            self._send(process, [asdict(task) for task in tasks])
            answer = process.stdout.readline()
            return dict(json.loads(answer)) if answer.endswith("\n") else None
        except (BrokenPipeError, ValueError):
            return None

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "plmrec.stages.hearing_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
        self.n_started += 1
        self._send(self._process, self._setup)
        return self._process

    @staticmethod
    def _send(process: subprocess.Popen[str], value: Any) -> None:
        if process.stdin is not None:
            process.stdin.write(json.dumps(value) + "\n")
            process.stdin.flush()

    def _end(self) -> str:
        """End the process and say how it ended."""
        process, self._process = self._process, None
        if process is None:
            return "it was not there"
        try:
            if process.stdin is not None:
                process.stdin.close()  # it ends when nothing more can come
        except BrokenPipeError:
            pass
        try:
            code = process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _refused(task: Task, how: str) -> ItemText:
    problem = Problem(
        reason=DIED,
        detail=f"media: expected to be heard, the process that heard died {_TRIES} times ({how})",
        origin=without_query(task.media),
    )
    return ItemText(status="refused", problems=(problem,))
