"""Measures recognisers on recordings whose words are known."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from plmrec.app.context import Context, open_context
from plmrec.app.shards import Progress, no_progress
from plmrec.digests import digest_rows, digest_stream
from plmrec.errors import DataContractError
from plmrec.metrics.speech import speech_errors
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.speech._media import MediaError, open_sound
from plmrec.speech._pauses import cut_at_pauses
from plmrec.speech.base import SAMPLE_RATE_HZ, Span, SpeechRecogniser, Window
from plmrec.stages.hearing import Medium, hear
from plmrec.stages.recognisers import Recognisers


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
    compare: bool = True,
    keep: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Transcribe recordings as the stage does and count the errors.

    The weights are loaded before the first file. A file that cannot be read counts as silence:
    all its words are errors. The bare backend hears the same files, decoded and cut blindly at
    its longest span, in turns with the pipeline: neither is always the first.

    Args:
        refs: Tab-separated, with the columns ``file`` (relative to it) and ``text``.
        settings: Where to run; the environment by default.
        params: Which recogniser; params.yaml by default.
        compare: Whether the bare backend hears the files too.
        keep: Whether to record the result as a version of the registered model
            ``plmrec-speech``.
        progress: Told files done and files to do, also once before the first.

    Returns:
        ``recogniser``, ``detector``, ``refs_digest``, ``files`` and ``total``; a file and the
        total have ``wer cer words errors substitutions deletions insertions media_s speech_s
        seconds rtf``, a file also ``file status heard``. rtf, the real-time factor, is seconds of
        work per second of media. With ``compare``, also ``bare`` with the same numbers and
        ``overhead``, the share of time that the pipeline adds to the bare backend (below 0 where
        it saves some). With ``keep``, also ``record``.

    Raises:
        DataContractError: The file of references cannot be read.
        BackendUnavailableError: The recogniser's weights are not there.
    """
    context = open_context(settings, params)
    recognisers = Recognisers(params=context.params.speech)
    recogniser = recognisers.choices[0].first
    references = read_references(refs)
    _warm_up(recognisers)
    files, bare_files = [], []
    progress(0, len(references))
    for number, reference in enumerate(references):
        ways = [
            partial(_pipeline, reference, recognisers, context),
            partial(_bare, reference, recogniser),
        ]
        if not compare:
            ways = ways[:1]
        order = ways if number % 2 == 0 else ways[::-1]
        found = {way: way() for way in order}
        files.append(found[ways[0]])
        bare_files += [found[way] for way in ways[1:]]
        progress(len(files), len(references))
    result: dict[str, Any] = {
        "recogniser": f"{recogniser.name}@{recogniser.version}",
        "detector": "" if recogniser.window.hears_all else recognisers.detector_version,
        "refs_digest": refs_digest(refs),
        "files": files,
        "total": _total(references, files),
    }
    if compare:
        result["bare"] = _total(references, bare_files)
        rtf, bare = result["total"]["seconds"], result["bare"]["seconds"]
        result["overhead"] = round(rtf / bare - 1, 4) if bare else None
    if keep:
        from plmrec.app.speech_models import record

        result["record"] = record(context, recognisers, result["total"], result["refs_digest"])
    return result


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


def refs_digest(refs: Path) -> str:
    """Digest of a golden set: of its words, and of the bytes of its recordings.

    Raises:
        DataContractError: The table cannot be read.
    """
    rows = []
    for reference in read_references(refs):
        try:
            with reference.path.open("rb") as file:
                content = digest_stream(file)
        except OSError:
            content = "missing"
        rows.append((f"{reference.name}\t{reference.text}", content))
    return digest_rows(rows)


def _warm_up(recognisers: Recognisers) -> None:
    """Load the weights of recogniser and detector."""
    recogniser = recognisers.choices[0].first
    noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE_HZ) * 0.01
    span = Span(start_s=0.0, samples=noise.astype(np.float32))
    recogniser.recognise([span], [recogniser.spoken_language(span, None).language])
    list(_cut(recognisers, [span.samples]))


def _cut(recognisers: Recognisers, chunks: Sequence[Any]) -> Any:
    window = recognisers.choices[0].first.window
    return cut_at_pauses(chunks, window=window, detector=recognisers.detector)


def _pipeline(reference: Reference, recognisers: Recognisers, context: Context) -> dict[str, Any]:
    """Hear a recording as the stage does."""
    started = time.perf_counter()
    medium = Medium(key=reference.name, origin=reference.name, open=partial(_open, reference.path))
    [text] = hear(
        [medium],
        recogniser=recognisers.choices[0].first,
        detector=recognisers.detector,
        max_s=context.params.speech.max_duration_s,
    )
    return _file(
        reference,
        heard=" ".join(segment.text for segment in text.segments),
        seconds=time.perf_counter() - started,
        status=text.status,
        media_s=text.media_s,
        speech_s=text.speech_s,
    )


def _bare(reference: Reference, recogniser: SpeechRecogniser) -> dict[str, Any]:
    """Give a recording to the backend as it is."""
    started = time.perf_counter()
    heard: list[str] = []
    status, media_s = "refused", 0.0
    window = Window(max_s=recogniser.window.max_s, hears_all=True)
    try:
        with reference.path.open("rb") as file:
            container, sound = open_sound(file, max_s=math.inf)
            with container:
                spans = list(cut_at_pauses(sound.chunks(), window=window)) if sound else []
        for first in range(0, len(spans), recogniser.batch_size):
            batch = spans[first : first + recogniser.batch_size]
            spoken = recogniser.spoken_language(spans[0], None).language
            for found in recogniser.recognise(batch, [spoken] * len(batch)):
                heard += [segment.text for segment in found.segments]
        status, media_s = "speech", sum(span.samples.size for span in spans) / SAMPLE_RATE_HZ
    except (DataContractError, OSError):
        pass  # counted as silence, as by the pipeline
    return _file(
        reference,
        heard=" ".join(heard),
        seconds=time.perf_counter() - started,
        status=status,
        media_s=media_s,
        speech_s=media_s,
    )


def _open(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as err:
        raise MediaError(f"media: expected a file at {path}, found none") from err


def _file(reference: Reference, *, heard: str, seconds: float, **facts: Any) -> dict[str, Any]:
    media_s, speech_s = facts["media_s"], facts["speech_s"]
    measured = _measures(
        [reference.text], [heard], media_s=media_s, speech_s=speech_s, seconds=seconds
    )
    return {"file": reference.name, "status": facts["status"], **measured, "heard": heard}


def _total(references: Sequence[Reference], files: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return _measures(
        [reference.text for reference in references],
        [file["heard"] for file in files],
        media_s=sum(file["media_s"] for file in files),
        speech_s=sum(file["speech_s"] for file in files),
        seconds=sum(file["seconds"] for file in files),
    )


def _measures(
    said: list[str], heard: list[str], *, media_s: float, speech_s: float, seconds: float
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
        "speech_s": round(speech_s, 2),
        "seconds": round(seconds, 3),
        "rtf": round(seconds / media_s, 3) if media_s else None,
    }


def _number(value: float) -> float | None:
    """None for what JSON cannot say."""
    return round(value, 4) if math.isfinite(value) else None
