"""Which recogniser hears which item: the one of params.yaml, or an override of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from plmrec.backends import build_backend
from plmrec.params import RecogniserParams, SpeechParams
from plmrec.speech._activity import detector_version, make_detector
from plmrec.speech._pauses import Detector
from plmrec.speech.base import SpeechRecogniser


@dataclass(kw_only=True)
class Choice:
    """One entry of params.yaml; its recognisers are built when they are asked for, and once.

    Attributes:
        number: Place in params.yaml: 0 for ``speech`` itself, from 1 for its overrides.
        params: Backend and options.
    """

    number: int
    params: RecogniserParams

    @cached_property
    def first(self) -> SpeechRecogniser:
        """The recogniser.

        Raises:
            ParamsError: Its options are not valid.
            BackendUnavailableError: Its name is unknown, or a dependency is not installed.
        """
        return self._build({})

    @cached_property
    def safer(self) -> SpeechRecogniser | None:
        """The same with safer options; None when there are none."""
        return self._build(self.params.safer_options) if self.params.safer_options else None

    def _build(self, more: Mapping[str, Any]) -> SpeechRecogniser:
        options = {**self.params.options, **more}
        name = self.params.backend.replace("-", "_")  # as the package faster-whisper is written
        return cast(SpeechRecogniser, build_backend("speech", name, options))


@dataclass(kw_only=True)
class Recognisers:
    """All recognisers of params.yaml, and the detector of speech they share.

    Args:
        params: The section ``speech``.
        choices: Entries to use instead of those of params, in the same order.
    """

    params: SpeechParams
    choices: list[Choice] = field(default_factory=list)

    def __post_init__(self) -> None:
        entries: list[RecogniserParams] = [self.params, *self.params.overrides]
        self.choices = self.choices or [
            Choice(number=number, params=entry) for number, entry in enumerate(entries)
        ]

    def choose(self, item: Mapping[str, Any]) -> Choice:
        """Choose for an item, by its ``language`` and ``kind``: the first override that fits."""
        language = (item.get("language") or "")[:2].lower()
        for choice, entry in zip(self.choices[1:], self.params.overrides, strict=True):
            if entry.language is not None and entry.language[:2].lower() != language:
                continue
            if entry.kind is None or entry.kind == item.get("kind"):
                return choice
        return self.choices[0]

    @cached_property
    def detector(self) -> Detector:
        """The detector; its weights are loaded at the first frame."""
        return make_detector(self.params.vad, threshold=self.params.vad_threshold)

    @cached_property
    def detector_version(self) -> str:
        """Name of the detector that changes with what it finds."""
        return detector_version(self.params.vad, threshold=self.params.vad_threshold)

    def inputs_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """What of all this the text of an item depends on, for digests; loads no weights."""
        choice = self.choose(item)
        recogniser = choice.first
        hears_all = recogniser.window.hears_all
        return {
            "recogniser": f"{recogniser.name}@{recogniser.version}",
            "safer": choice.params.safer_options,
            "detector": None if hears_all else self.detector_version,
            "quality": self.params.quality.model_dump(),
            "max_s": self.params.max_duration_s,
        }
