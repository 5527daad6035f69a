"""Looking into media and subtitles files: can they be read at all?"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import av
import av.error

from plmrec.text.subtitles import parse_subtitles

# FFmpeg must not guess text to be a film, nor follow a playlist to other files and addresses.
_CONTAINERS: Final = (
    "wav,w64,aiff,au,caf,mp3,aac,ac3,eac3,flac,ogg,amr,asf,avi,flv,matroska,webm,"
    "mov,mp4,m4a,3gp,3g2,mj2,mpeg,mpegts,mpegvideo,tta,wv,ape"
)
_MAX_PACKETS: Final = 500  # a file whose first packets hold no frame will not have one later
_MAX_SUBTITLES_BYTES: Final = 20 << 20


def media_problem(path: Path) -> str:
    """Open a media file and decode one frame of sound or picture.

    Returns:
        What is wrong with it, as a sentence; empty when a frame could be decoded.
    """
    try:
        with path.open("rb") as stream, av.open(stream, "r", options=_options()) as container:
            streams = [*container.streams.audio, *container.streams.video]
            if not streams:
                return "media: expected sound or picture, got a file without either"
            for count, packet in enumerate(container.demux(streams)):
                try:
                    if packet.decode():
                        return ""
                except av.error.InvalidDataError:
                    pass  # one damaged packet; another may be good
                if count >= _MAX_PACKETS:
                    break
    except (av.error.FFmpegError, OSError, ValueError) as err:
        return f"media: expected an audio or video file, got an error: {_first_line(err)}"
    return "media: expected sound or picture, got no frame that can be decoded"


def subtitles_problem(path: Path) -> str:
    """Look for at least one cue of SRT or WebVTT.

    Returns:
        What is wrong with the file, as a sentence; empty when it has a cue.
    """
    if path.stat().st_size > _MAX_SUBTITLES_BYTES:
        return f"subtitles: expected at most {_MAX_SUBTITLES_BYTES:,} bytes, got more"
    if not parse_subtitles(path.read_bytes()).segments:
        return "subtitles: expected SRT or WebVTT, got a file without a readable cue"
    return ""


def _options() -> dict[str, str]:
    return {"format_whitelist": _CONTAINERS}


def _first_line(err: Exception) -> str:
    text = str(getattr(err, "strerror", None) or err or type(err).__name__)
    return text.splitlines()[0][:200]
