"""The sound of a media file: decoded with PyAV, resampled, in bounded memory."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, BinaryIO, Final, cast

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from plmrec.errors import DataContractError
from plmrec.speech.base import SAMPLE_RATE_HZ, Samples

log = logging.getLogger(__name__)

# Demuxers that hold sound themselves. What is not named here is refused: playlists, which would
# make FFmpeg open other files and addresses, and text, which FFmpeg takes for subtitles or video.
_CONTAINERS: Final = (
    "wav,w64,aiff,au,caf,mp3,aac,ac3,eac3,flac,ogg,amr,asf,avi,flv,matroska,webm,"
    "mov,mp4,m4a,3gp,3g2,mj2,mpeg,mpegts,mpegvideo,tta,wv,ape"
)
_MAX_GAP_S: Final = 0.25  # larger holes between time stamps are filled with silence
_TRUNCATED_SHARE: Final = 0.9  # of the announced duration; less sound than this was cut off
_LEAD_S: Final = 2.0  # decoded before a place that was sought, so that the decoder is in step
_BAD_PACKETS: Final = 200  # in a row; after so many the rest is given up


class MediaError(DataContractError):
    """A medium from which no sound can be had; ``reason`` is a code of the quarantine."""

    def __init__(
        self, message: str, *, hint: str = "", reason: str = "media_not_decodable"
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason

    def __reduce__(self) -> tuple[type[MediaError], tuple[str], dict[str, str]]:
        return type(self), (str(self),), {**self.__dict__}


@dataclass(slots=True, kw_only=True)
class Sound:
    """The sound of one medium while it is being decoded.

    Attributes:
        announced_s: Duration according to the file's header, seconds; None when it says none.
        damage: What was wrong with the medium so far, as a sentence; empty when nothing was.
    """

    announced_s: float | None
    _container: InputContainer
    _stream: AudioStream
    _max_s: float
    damage: str = ""
    _n_samples: int = 0
    _resampler: Any = field(default=None)

    @property
    def decoded_s(self) -> float:
        """Seconds of sound decoded so far, from the start of the medium."""
        return self._n_samples / SAMPLE_RATE_HZ

    def chunks(self, first: int = 0) -> Iterator[Samples]:
        """Decode the sound once, from a sample on to the end.

        A damaged packet is skipped; where the file breaks off, what was decoded before stays.

        Args:
            first: Sample at ``SAMPLE_RATE_HZ`` to begin with.

        Yields:
            Mono sound at ``SAMPLE_RATE_HZ``, float32 ``(n,)`` in [-1, 1], n at most one second.

        Raises:
            MediaError: There is more sound than ``max_s``, or none at all.
        """
        for samples in self._sound(first):
            start = self._n_samples
            for chunk in self._checked(samples):
                if self._n_samples > first:
                    yield chunk[max(first - start, 0) :]
                start = self._n_samples
        announced = self.announced_s or 0.0
        if not self.decoded_s:
            raise MediaError(
                f"media: expected {announced:.1f} s of sound, could decode none",
                hint=self.damage,
                reason="media_not_decodable" if self.damage or announced else "media_empty",
            )
        if announced - self.decoded_s > max(1.0, (1 - _TRUNCATED_SHARE) * announced):
            self.damage = (
                f"expected {announced:.1f} s of sound, got {self.decoded_s:.1f} s before the end"
            )

    def _sound(self, first: int) -> Iterator[Samples]:
        """Sound from shortly before a sample, or from the start where a file cannot be sought."""
        frames = self._frames()
        if first > _LEAD_S * SAMPLE_RATE_HZ:
            self._n_samples, frames = self._sought(first)
        for frame in frames:
            yield from self._resampled(frame)
        yield from self._resampled(None)

    def _sought(self, first: int) -> tuple[int, Iterator[AudioFrame]]:
        """Seek to a little before a sample; return where that is, and the frames from there."""
        origin = self._container.start_time or 0
        at_s = first / SAMPLE_RATE_HZ - _LEAD_S
        try:
            self._container.seek(int(at_s * av.time_base) + origin, backward=True)
            frame = next(frames := self._frames(), None)
            if frame is not None and frame.time is not None:
                sample = round((frame.time - origin / av.time_base) * SAMPLE_RATE_HZ)
                if 0 <= sample <= first:
                    return sample, chain([frame], frames)
            self._container.seek(origin)
        except (av.error.FFmpegError, OSError) as err:
            log.info("cannot seek, decoding from the start: %s", _words(err))
        return 0, self._frames()

    def _checked(self, samples: Samples) -> Iterator[Samples]:
        for start in range(0, samples.size, SAMPLE_RATE_HZ):
            chunk = samples[start : start + SAMPLE_RATE_HZ]
            self._n_samples += chunk.size
            if self.decoded_s > self._max_s:
                raise _too_long(f"more than {self._max_s:.0f} s of sound", self._max_s)
            yield chunk

    def _frames(self) -> Iterator[AudioFrame]:
        """Frames as decoded; damaged packets are skipped, a break ends them."""
        n_bad = 0
        packets = self._container.demux(self._stream)
        while n_bad < _BAD_PACKETS:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError) as err:
                self.damage = f"the file breaks off after {self.decoded_s:.1f} s: {_words(err)}"
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError as err:
                n_bad += 1
                self.damage = f"a damaged packet near {self.decoded_s:.1f} s: {_words(err)}"
                continue
            n_bad = 0 if frames else n_bad
            yield from (frame for frame in frames if isinstance(frame, AudioFrame))

    def _resampled(self, frame: AudioFrame | None) -> Iterator[Samples]:
        """Sound of a frame in the form recognisers expect; None flushes what is left."""
        if frame is not None:
            yield from self._silence_before(frame)
        try:
            found = self._resampler.resample(frame) if self._resampler else []
        except ValueError:  # the stream changed its rate or layout in the middle
            found, self._resampler = self._resampler.resample(None), None
        if self._resampler is None and frame is not None:
            self._resampler = av.AudioResampler(
                format="flt",
                layout="mono",
                rate=SAMPLE_RATE_HZ,
                options={"rematrix_maxval": "1.0"},  # else two equal channels are too loud by 3 dB
            )
            found += self._resampler.resample(frame)
        for piece in found:
            samples = np.asarray(piece.to_ndarray(), dtype=np.float32).reshape(-1)
            yield np.clip(np.nan_to_num(samples, copy=False), -1.0, 1.0)

    def _silence_before(self, frame: AudioFrame) -> Iterator[Samples]:
        """Fill holes in the time stamps, so that times of segments are times in the media."""
        if frame.time is None or self.announced_s is None:
            return
        origin = (self._container.start_time or 0) / av.time_base
        gap_s = min(frame.time - origin, self.announced_s) - self.decoded_s
        if gap_s > _MAX_GAP_S:
            yield np.zeros(int(gap_s * SAMPLE_RATE_HZ), dtype=np.float32)


def open_sound(file: BinaryIO, *, max_s: float) -> tuple[InputContainer, Sound | None]:
    """Open a medium for decoding; the caller closes the container.

    Args:
        file: The bytes of the medium, seekable.
        max_s: Longer media are refused, by what the header says or by what is decoded, seconds.

    Returns:
        The container, and its best sound track; None for a video without any.

    Raises:
        MediaError: The file is empty, is no audio or video file, or is too long.
    """
    damage = _cut_off(file)
    try:
        container = av.open(file, mode="r", options={"format_whitelist": _CONTAINERS})
    except (av.error.FFmpegError, OSError, ValueError) as err:
        raise MediaError(
            f"media: expected an audio or video file, got something else: {_words(err)}"
        ) from err
    stream = cast("AudioStream | None", container.streams.best("audio"))
    if stream is None:
        if container.streams.video:
            return container, None
        container.close()
        raise MediaError("media: expected sound or pictures, got a file with neither")
    announced_s = _announced(container, stream)
    if announced_s is not None and announced_s > max_s:
        container.close()
        raise _too_long(f"{announced_s:.0f} s", max_s)
    return container, Sound(
        announced_s=announced_s,
        damage=damage,
        _container=container,
        _stream=stream,
        _max_s=max_s,
    )


def _cut_off(file: BinaryIO) -> str:
    """Look at the size a WAV file says it has, because FFmpeg does not tell.

    Raises:
        MediaError: The file is empty.
    """
    head = file.read(12)
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    if not head:
        raise MediaError("media: expected sound, got an empty file", reason="media_empty")
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        expected = int.from_bytes(head[4:8], "little") + 8
        if n_bytes < expected < 0xFFFFFFFF:  # streams are written with the largest number
            return f"expected {expected} bytes, got {n_bytes} before the end"
    return ""


def _announced(container: InputContainer, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return float(container.duration / av.time_base)
    return None


def _too_long(found: str, max_s: float) -> MediaError:
    return MediaError(
        f"media: expected at most {max_s:.0f} s of sound, got {found}",
        hint="Raise speech.max_duration_s to accept it",
        reason="media_too_long",
    )


def _words(err: BaseException) -> str:
    return str(getattr(err, "strerror", None) or err)
