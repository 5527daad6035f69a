"""What every speech recogniser promises: stretches of sound in, timed text out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from plmrec.types import Segment

SAMPLE_RATE_HZ: Final = 16_000

Samples: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in a pause from where the search for speech can go on as if never interrupted.

    Attributes:
        sample: First sample to decode.
        lead: Frames from there on that were searched already and are kept for the next span.
        state: What the detector remembers of the sound before.
    """

    sample: int = 0
    lead: int = 0
    state: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of sound that holds more than silence.

    Attributes:
        start_s: Where it starts, seconds from the first sample of the item.
        samples: float32 ``(n,)`` at ``SAMPLE_RATE_HZ``.
        mark: Where to go on after it; None when it was not cut in a pause.
    """

    start_s: float
    samples: Samples
    mark: Mark | None = None

    @property
    def end_s(self) -> float:
        """Where it ends, seconds from the first sample of the item."""
        return self.start_s + self.samples.size / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What spans a recogniser is best at.

    Attributes:
        max_s: Longest span, seconds; bounds the memory.
        min_s: Shorter spans are joined over short pauses, because recognisers like context.
        long_pause_s: A pause that ends any span, seconds.
        hears_all: True for one that takes all sound, cut every ``max_s``, silence included.
    """

    max_s: float
    min_s: float = 0.0
    long_pause_s: float = 1.2
    hears_all: bool = False


class Word(NamedTuple):
    """One word as it was heard.

    Attributes:
        start_s: Start in the media, seconds.
        end_s: End in the media, seconds, >= start_s.
        text: The word.
        confidence: In [0, 1].
    """

    start_s: float
    end_s: float
    text: str
    confidence: float


class Heard(NamedTuple):
    """What was heard in one span.

    Attributes:
        segments: In order of time, not overlapping, with words in each; times in the item.
        words: The same word by word; empty where the backend does not time words.
    """

    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()


class Spoken(NamedTuple):
    """The language of an item.

    Attributes:
        language: Code of a language; None when there is no telling.
        confidence: Probability that it is spoken, in [0, 1]; None when it was not measured.
    """

    language: str | None = None
    confidence: float | None = None


class SpeechRecogniser(Protocol):
    """Turns spans of speech into segments; finding the spans is not its task.

    A recogniser promises:

    - The weights are loaded at the first call that meets sound, so building one and asking for
      its version is cheap.
    - What it hears in a span depends on that span and its language alone: neither on earlier
      calls nor on the other spans of the batch.
    - Memory does not grow with the number of calls.

    Attributes:
        name: Name of the backend.
        version: Changes whenever the same sound could give another text: library, weights,
            settings. Reading it loads no weights.
        language: BCP 47 code of the only language it understands; None when it understands
            several, and finds out which is spoken.
        sample_rate_hz: Samples per second that it expects: ``SAMPLE_RATE_HZ``.
        window: What spans it is given.
        batch_size: How many spans it is given at once, at most.
        is_isolated: Whether it should run in a process of its own, because it may crash or grow.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def version(self) -> str: ...  # noqa: D102

    @property
    def language(self) -> str | None: ...  # noqa: D102

    @property
    def sample_rate_hz(self) -> int: ...  # noqa: D102

    @property
    def window(self) -> Window: ...  # noqa: D102

    @property
    def batch_size(self) -> int: ...  # noqa: D102

    @property
    def is_isolated(self) -> bool: ...  # noqa: D102

    def spoken_language(self, span: Span, said: str | None) -> Spoken:
        """Find out which language an item is in.

        Args:
            span: The first of the item.
            said: What the item says itself, if anything.

        Raises:
            BackendUnavailableError: The weights are not there.
        """
        ...

    def recognise(self, spans: Sequence[Span], languages: Sequence[str | None]) -> list[Heard]:
        """Recognise the speech of some spans, of one item or of several.

        Args:
            spans: At most ``batch_size``.
            languages: Of each span, as ``spoken_language`` found it.

        Returns:
            What was heard in each span.

        Raises:
            BackendUnavailableError: The weights are not there.
            DataContractError: The recogniser gave up on this sound.
        """
        ...
