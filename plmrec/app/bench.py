"""Measures backends on recordings whose words are known."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from plmrec.app.context import open_context
from plmrec.app.transcribe import load_recogniser
from plmrec.errors import DataContractError
from plmrec.metrics.speech import speech_errors
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.speech._media import MediaError
from plmrec.stages.item_text import hear

Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A recording and the words that are said in it."""

    path: Path
    name: str
    text: str


def bench_speech(
    refs: Path,
    *,
    settings: Settings | None = None,
    params: Params | None = None,
    progress: Progress = lambda _done, _total: None,
) -> dict[str, Any]:
    """Transcribe recordings as the stage does and count the errors.

    The first file's time includes loading the weights. A file that cannot be read counts as
    silence: all its words are errors.

    Args:
        refs: Tab-separated, with the columns ``file`` (relative to it) and ``text``.
        settings: Where to run; the environment by default.
        params: Which recogniser; params.yaml by default.
        progress: Told files done and files to do, also once before the first.

    Returns:
        ``recogniser``, ``files`` and ``total``; a file and the total have ``wer cer words
        errors substitutions deletions insertions media_s seconds rtf``, a file also ``file status
        heard``. rtf, the real-time factor, is seconds of work per second of media.

    Raises:
        DataContractError: The file of references cannot be read.
        BackendUnavailableError: The recogniser's weights are not there.
    """
    context = open_context(settings, params)
    recogniser = load_recogniser(context)
    references = read_references(refs)
    files = []
    progress(0, len(references))
    for reference in references:
        started = time.perf_counter()
        try:
            with reference.path.open("rb") as file:
                found = hear(
                    file, recogniser=recogniser, max_s=context.params.speech.max_duration_s
                )
            status, media_s = found.status, found.media_s
            heard = " ".join(segment.text for segment in found.segments)
        except (MediaError, OSError):
            status, media_s, heard = "refused", 0.0, ""
        seconds = time.perf_counter() - started
        measured = _measures([reference.text], [heard], media_s=media_s, seconds=seconds)
        files.append({"file": reference.name, "status": status, **measured, "heard": heard})
        progress(len(files), len(references))
    return {
        "recogniser": f"{recogniser.name}@{recogniser.version}",
        "files": files,
        "total": _measures(
            [reference.text for reference in references],
            [file["heard"] for file in files],
            media_s=sum(file["media_s"] for file in files),
            seconds=sum(file["seconds"] for file in files),
        ),
    }


def read_references(refs: Path) -> list[Reference]:
    """Read a table of recordings and their words.

    Raises:
        DataContractError: It is not there, has other columns, or has no row.
    """
    try:
        with refs.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError) as err:
        raise DataContractError(f"bench: cannot read {refs}: {err}") from err
    if not rows or not {"file", "text"} <= set(rows[0]):
        columns = sorted(rows[0]) if rows else "no rows"
        raise DataContractError(
            f"bench: expected tab-separated columns file and text in {refs}, got {columns}"
        )
    return [
        Reference(path=refs.parent / row["file"], name=row["file"], text=row["text"] or "")
        for row in rows
    ]


def _measures(
    said: list[str], heard: list[str], *, media_s: float, seconds: float
) -> dict[str, Any]:
    errors = speech_errors(said, heard)
    return {
        "wer": _number(errors.wer),
        "cer": _number(errors.cer),
        "words": errors.n_words,
        "errors": errors.substitutions + errors.deletions + errors.insertions,
        "substitutions": errors.substitutions,
        "deletions": errors.deletions,
        "insertions": errors.insertions,
        "media_s": round(media_s, 2),
        "seconds": round(seconds, 2),
        "rtf": round(seconds / media_s, 3) if media_s else None,
    }


def _number(value: float) -> float | None:
    """None for what JSON cannot say."""
    return round(value, 4) if math.isfinite(value) else None
