"""Items with small files, and the stage "transcribe" run on them with made-up recognisers."""

from __future__ import annotations

from plmrec.backends import build_backend
from plmrec.params import SpeechParams
from plmrec.quality.base import Verdict
from plmrec.speech.base import Window
from plmrec.stages import transcribe as stage
from plmrec.stages.hearers import LocalHearer
from plmrec.stages.recognisers import Choice, Recognisers
from plmrec.stores.workspace import Workspace
from tests.support.catalogue import N_SHARDS
from tests.support.media import tone, wav

PARAMS = SpeechParams(backend="scripted")
SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello.\n"
FILES = {"a.wav": wav(tone(2)), "b.wav": wav(tone(7)), "c.srt": SRT, "empty.wav": b""}
ITEMS = [
    {"item_id": "a", "media": "a.wav"},
    {"item_id": "b/'; --", "media": "b.wav"},
    {"item_id": "c", "subtitles": "c.srt", "media": "a.wav"},
    {"item_id": "d", "media": "empty.wav"},
    {"item_id": "e"},
    {"item_id": "f", "subtitles": "empty.wav", "media": "a.wav"},
]


class Counting:
    """Says what the scripted recogniser says, counts what it hears, breaks off when told to."""

    name, language, sample_rate_hz = "counting", None, 16_000
    batch_size, is_isolated = 1, False

    def __init__(
        self, *, version: str = "1", fail_at: int | None = None, window: Window | None = None
    ) -> None:
        self.version = version
        self.heard: list[tuple[float, float]] = []  # spans, seconds
        self.window = window or Window(max_s=60.0, hears_all=True)
        self._fail_at = fail_at
        self._inner = build_backend("speech", "scripted", {})

    @property
    def n_spans(self) -> int:
        return len(self.heard)

    def spoken_language(self, span, said):
        return self._inner.spoken_language(span, said)

    def recognise(self, spans, languages):
        for span in spans:
            if len(self.heard) + 1 == self._fail_at:
                raise KeyboardInterrupt
            self.heard.append((span.start_s, span.end_s))
        return self._inner.recognise(spans, languages)


class Judge:
    """Refuses transcripts that a test names by their number of words per second."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def judge(self, rows, limits):
        self.asked.append(len(rows))
        return [
            Verdict(row=number, reason="speech_too_fast", detail="words_per_s: expected less")
            for number, row in enumerate(rows)
            if row["words_per_s"] > limits.max_words_per_s
        ]


def recognisers_of(*recognisers, params=PARAMS, safer=None) -> Recognisers:
    """Recognisers as they are, one for each entry of the params."""
    choices = []
    for number, recogniser in enumerate(recognisers):
        entry = params if number == 0 else params.overrides[number - 1]
        choice = Choice(number=number, params=entry)
        choice.__dict__["first"] = recogniser
        choice.__dict__["safer"] = safer
        choices.append(choice)
    return Recognisers(params=params, choices=choices)


def run(workspace: Workspace, recogniser=None, params=PARAMS, **more) -> list[dict]:
    """Transcribe all shards, and tidy up."""
    chosen = more.pop("chosen", None)
    chosen = chosen or recognisers_of(recogniser or Counting(), params=params)
    opened = stage.open_tables(workspace, n_shards=N_SHARDS)
    reports = [
        stage.transcribe_shard(
            opened,
            shard,
            recognisers=chosen,
            hearer=LocalHearer(workspace, chosen),
            judge=more.get("judge") or Judge(),
        ).as_dict()
        for shard in opened.transcripts.shards
    ]
    stage.tidy(opened)
    return reports


def rows(workspace: Workspace) -> dict[str, dict]:
    opened = stage.open_tables(workspace, n_shards=N_SHARDS)
    return {row["item_id"]: row for row in opened.transcripts.rows()}


def total(reports: list[dict], key: str) -> int:
    return sum(report[key] for report in reports)
