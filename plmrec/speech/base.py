"""What every speech recogniser promises: sound in, timed text out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from plmrec.types import Segment

SAMPLE_RATE_HZ: Final = 16_000

Samples: TypeAlias = npt.NDArray[np.float32]


class SpeechRecogniser(Protocol):
    """Turns the sound of one item into segments.

    A recogniser promises:

    - The weights are loaded at the first call of ``transcribe`` that meets sound, so building
      one and asking for its version is cheap.
    - A call depends on its own chunks alone: neither on earlier calls nor on where the sound
      was cut into chunks. The same sound gives the same segments.
    - Memory does not grow with the length of the sound.
    - Silence gives no segments.

    Attributes:
        name: Name of the backend.
        version: Changes whenever the same sound could give another text: library, weights,
            settings. Reading it loads no weights.
        language: BCP 47 code of the only language it understands; None when it understands
            several, and finds out which is spoken.
        sample_rate_hz: Samples per second that ``transcribe`` expects: ``SAMPLE_RATE_HZ``.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def version(self) -> str: ...  # noqa: D102

    @property
    def language(self) -> str | None: ...  # noqa: D102

    @property
    def sample_rate_hz(self) -> int: ...  # noqa: D102

    def transcribe(self, chunks: Iterable[Samples]) -> Iterator[Segment]:
        """Recognise the speech of one item.

        Args:
            chunks: Consecutive mono sound, each float32 ``(n,)`` in [-1, 1], of any lengths.

        Returns:
            Segments in order of time, not overlapping, with words in each; times in seconds
            from the first sample.

        Raises:
            BackendUnavailableError: The weights are not there.
            DataContractError: The recogniser gave up on this sound.
        """
        ...
