"""Silero's voice activity detector: a small recurrent network that knows speech from music."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path
from typing import Any, Final

import numpy as np

from plmrec.errors import BackendUnavailableError
from plmrec.speech.base import SAMPLE_RATE_HZ, Samples

_CONTEXT: Final = 64  # samples of the frame before that the network sees again
_STATE: Final = (2, 1, 128)
_SURE: Final = 0.95  # speech has mostly more than 0.99, music and animals hardly ever
_INAUDIBLE_DB: Final = -80.0  # less than the last two bits: the network need not be asked
_HYSTERESIS: Final = 0.15  # once there is speech, a little less is still speech


class Silero:
    """Asks the network for the probability of speech in each frame of 32 ms.

    The weights are in the package silero-vad and run on ONNX Runtime with one thread; they are
    loaded once per process. Only 320 numbers are remembered of the sound.

    Args:
        threshold: Probability from which on a frame is speech; where the frame before was
            speech, 0.15 less is enough. A stretch that nowhere has 0.95 is none.

    Source: Silero Team, 2024, "Silero VAD: pre-trained enterprise-grade Voice Activity
    Detector", https://github.com/snakers4/silero-vad.
    """

    frame = 512
    pad_s = 0.4  # the network is slow to believe in a first word, and quick to give up on the last

    def __init__(self, *, threshold: float) -> None:
        self._threshold = threshold
        self._rate = np.array(SAMPLE_RATE_HZ, dtype=np.int64)
        self._input: Samples
        self._memory: Samples
        self._was_speech = False
        self.restore(())

    def prepare(self, levels: Sequence[float]) -> None:
        """See Detector.prepare; the network needs no look ahead."""

    def rate(self, frame: Samples, level: float) -> int:
        """See Detector.rate."""
        self._input[0, :_CONTEXT] = self._input[0, -_CONTEXT:]
        self._input[0, _CONTEXT:] = frame
        if level < _INAUDIBLE_DB and not self._was_speech:
            return 0
        probability, self._memory = _session().run(
            None, {"input": self._input, "state": self._memory, "sr": self._rate}
        )
        needed = self._threshold - (_HYSTERESIS if self._was_speech else 0.0)
        self._was_speech = float(probability[0, 0]) >= needed
        return (
            2 if self._was_speech and float(probability[0, 0]) >= _SURE else int(self._was_speech)
        )

    def state(self) -> tuple[float, ...]:
        """See Detector.state."""
        return (
            float(self._was_speech),
            *map(float, self._input[0, -_CONTEXT:]),
            *map(float, self._memory.reshape(-1)),
        )

    def restore(self, state: Sequence[float]) -> None:
        """See Detector.restore."""
        self._input = np.zeros((1, _CONTEXT + self.frame), dtype=np.float32)
        self._memory = np.zeros(_STATE, dtype=np.float32)
        self._was_speech = False
        if state:
            self._was_speech = bool(state[0])
            self._input[0, -_CONTEXT:] = state[1 : 1 + _CONTEXT]
            self._memory[...] = np.reshape(state[1 + _CONTEXT :], _STATE)


def silero_version() -> str:
    """Version of the installed weights.

    Raises:
        BackendUnavailableError: The package is not installed.
    """
    try:
        return metadata.version("silero-vad")
    except metadata.PackageNotFoundError as err:
        raise _missing("silero-vad") from err


@lru_cache(maxsize=1)
def _session() -> Any:
    package = util.find_spec("silero_vad")  # importing it would import torch
    if package is None or not package.submodule_search_locations:
        raise _missing("silero-vad")
    try:
        import onnxruntime
    except ModuleNotFoundError as err:
        raise _missing("onnxruntime") from err

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 3
    weights = Path(package.submodule_search_locations[0], "data", "silero_vad.onnx")
    return onnxruntime.InferenceSession(
        str(weights), providers=["CPUExecutionProvider"], sess_options=options
    )


def _missing(package: str) -> BackendUnavailableError:
    return BackendUnavailableError(
        f"speech.vad: silero needs the package {package!r}, which is not installed",
        hint=f"Install it with: pip install {package}, or set speech.vad to energy",
    )
