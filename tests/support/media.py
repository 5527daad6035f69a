"""Media made on the spot: bursts of sound, in any container, with or without pictures."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable

import av
import numpy as np

Samples = np.ndarray


def bursts(seconds: float, *, rate_hz: int = 16_000, seed: int = 0, loudness: float = 0.2):
    """Noise that is on for two seconds and off for two; float32 ``(n,)``."""
    n = round(seconds * rate_hz)
    noise = np.random.default_rng(seed).standard_normal(n)
    is_on = (np.arange(n) // (2 * rate_hz)) % 2 == 0
    return (loudness * noise * is_on).clip(-1, 1).astype(np.float32)


def tone(seconds: float, *, rate_hz: int = 16_000, hz: float = 440.0, loudness: float = 0.3):
    """A sine; float32 ``(n,)``."""
    return (
        loudness * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)
    ).astype(np.float32)


def wav(samples: Samples, *, rate_hz: int = 16_000) -> bytes:
    """A 16-bit mono wav file."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return target.getvalue()


def encoded(
    samples: Samples,
    *,
    container: str,
    codec: str,
    rate_hz: int = 48_000,
    with_video: bool = False,
    start_s: float = 0.0,
) -> bytes:
    """Encode mono sound with PyAV, in stereo, optionally beside a black video.

    Args:
        samples: float32 ``(n,)`` at ``rate_hz``.
        container: FFmpeg's name of the format, such as ``mp4``.
        codec: Such as ``aac``.
        rate_hz: Of the samples and of the file.
        with_video: Whether the file has pictures too.
        start_s: When the sound begins.
    """
    target = io.BytesIO()
    with av.open(target, "w", format=container) as file:
        pictures = _add_video(file, len(samples) / rate_hz + start_s) if with_video else None
        stream = file.add_stream(codec, rate=rate_hz)
        stream.layout = "stereo"
        if pictures is not None:
            pictures()
        for first in range(0, len(samples), rate_hz):
            planes = np.ascontiguousarray(np.tile(samples[first : first + rate_hz], (2, 1)))
            frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout="stereo")
            frame.sample_rate = rate_hz
            frame.pts = first + round(start_s * rate_hz)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return target.getvalue()


def silent_film(seconds: float = 1.0) -> bytes:
    """An mp4 with pictures and no sound track."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as file:
        _add_video(file, seconds)()
    return target.getvalue()


def _add_video(file: av.container.OutputContainer, seconds: float) -> Callable[[], None]:
    stream = file.add_stream("mpeg4", rate=10)
    stream.width = stream.height = 32
    stream.pix_fmt = "yuv420p"

    def write() -> None:
        for number in range(round(seconds * 10)):
            frame = av.VideoFrame(32, 32, "yuv420p")
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))

    return write
