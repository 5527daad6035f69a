"""Which detector of speech to use, and what it is called in digests."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from plmrec.speech._pauses import Detector, Energy
from plmrec.speech._silero import Silero, silero_version

Vad: TypeAlias = Literal["silero", "energy"]

_REVISION: Final = 1  # raise it when the same sound gives other spans


def make_detector(vad: Vad, *, threshold: float) -> Detector:
    """Make a detector for one medium after another; weights are loaded at the first frame.

    Args:
        vad: ``silero``, a network that knows speech from music; ``energy``, which takes all for
            speech that is louder than the background.
        threshold: Of ``silero``: probability from which on a frame is speech.
    """
    return Silero(threshold=threshold) if vad == "silero" else Energy()


def detector_version(vad: Vad, *, threshold: float) -> str:
    """Name that changes whenever the same sound could be cut otherwise; loads no weights.

    Raises:
        BackendUnavailableError: The package of the detector is not installed.
    """
    if vad == "energy":
        return f"energy@{_REVISION}"
    return f"silero@{silero_version()}-{_REVISION}-{threshold:g}"
