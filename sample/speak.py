"""Records the spoken items with the flite synthesiser and draws a title card for the videos."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import textwrap
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from read_catalogue import RECORDINGS, Item

VOICE = "rms"
RATE_HZ = 16_000
PAUSE_S = 0.45
SIZE = (320, 180)
FRAMES_A_SECOND = 4
CONTAINERS = {  # suffix: audio codec, bits a second, picture codec, its options
    "ogg": ("libopus", 24_000, None, {}),
    "mp3": ("libmp3lame", 40_000, None, {}),
    "m4a": ("aac", 40_000, None, {}),
    "mp4": ("aac", 40_000, "libx264", {"crf": "30", "preset": "veryslow"}),
    "webm": ("libopus", 24_000, "libvpx-vp9", {"crf": "40", "b": "0"}),
}
AUDIO_SUFFIXES = {"coo-02": "mp3", "mon-02": "m4a"}  # the others are ogg
WEBM = {"coo-01", "sea-02", "pho-01"}  # the other videos are mp4
PAPER = {"A": (30, 42, 56), "B": (244, 239, 228)}


def record_all(items: list[Item], media: Path) -> None:
    """Record every item that has a spoken text, and write recordings.json beside the script."""
    recordings: dict[str, Any] = {}
    for item in items:
        if item.spoken is None:
            continue
        samples, segments = speak(item.spoken)
        suffix = AUDIO_SUFFIXES.get(item.item_id, "ogg")
        if item.kind == "video":
            suffix = "webm" if item.item_id in WEBM else "mp4"
        path = media / f"{item.item_id}.{suffix}"
        write_media(path, samples, card=item.title if item.kind == "video" else None)
        recordings[item.item_id] = {
            "media": f"media/{path.name}",
            "duration_s": round(len(samples) / RATE_HZ, 2),
            "segments": segments,
        }
        print(f"recorded {path.name}: {len(samples) / RATE_HZ:.1f} s, {path.stat().st_size} bytes")
    text = json.dumps(recordings, indent=1, ensure_ascii=False)
    RECORDINGS.write_text(text + "\n", "utf-8")


def record_faults(media: Path) -> None:
    """Write the media files that are broken on purpose; faults.yaml says which and why."""
    silence = np.zeros(RATE_HZ * 8, np.int16)
    write_media(media / "che-04.mp4", silence, card="Building the Lucena Bridge")
    whole = (media / "che-04.mp4").read_bytes()
    (media / "che-04.mp4").write_bytes(whole[: len(whole) * 3 // 5])
    write_media(media / "jaz-09.ogg", silence, card=None)
    write_media(media / "wea-10.mp4", None, card="Morning Glory, a Cloud a Thousand Km Long")
    (media / "bri-06.mp3").write_text(
        "This is a plain text file. Someone gave it the suffix of a recording.\n", "utf-8"
    )
    (media / "cyc-06.mp3").write_bytes(b"")


def speak(text: str) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Say the text one sentence at a time.

    Returns:
        The int16 samples at 16 kHz, shape `(n_samples,)`, and the span of each sentence.
    """
    pause = np.zeros(int(PAUSE_S * RATE_HZ), np.int16)
    parts, segments, at = [pause], [], len(pause)
    for sentence in re.findall(r"[^.!?]+[.!?]", " ".join(text.split())):
        said = _synthesise(sentence.strip())
        segments.append(
            {
                "start_s": round(at / RATE_HZ, 2),
                "end_s": round((at + len(said)) / RATE_HZ, 2),
                "text": sentence.strip(),
            }
        )
        parts += [said, pause]
        at += len(said) + len(pause)
    return np.concatenate(parts), segments


def _synthesise(sentence: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run(
            ["flite", "-voice", VOICE, "-t", sentence, "-o", str(path)], check=True, timeout=60
        )
        with wave.open(str(path)) as file:
            if file.getframerate() != RATE_HZ:
                raise ValueError(f"{VOICE}: expected {RATE_HZ} Hz, got {file.getframerate()}")
            return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def write_media(path: Path, samples: np.ndarray | None, *, card: str | None) -> None:
    """Encode the samples, with a picture track if there is a card; None for a silent picture."""
    import av

    audio_codec, bit_rate, picture_codec, options = CONTAINERS[path.suffix[1:]]
    with av.open(str(path), "w") as container:
        picture = audio = None
        if card is not None:
            picture = container.add_stream(picture_codec, rate=FRAMES_A_SECOND, options=options)
            picture.width, picture.height = SIZE
            picture.pix_fmt = "yuv420p"
        if samples is not None:
            audio = container.add_stream(audio_codec, rate=RATE_HZ, layout="mono")
            audio.bit_rate = bit_rate
        seconds = len(samples) / RATE_HZ if samples is not None else 6
        if picture is not None:
            for number in range(int(seconds * FRAMES_A_SECOND)):
                image = draw_card(str(card), number / (seconds * FRAMES_A_SECOND))
                frame = av.VideoFrame.from_image(image)
                frame.pts, frame.time_base = number, Fraction(1, FRAMES_A_SECOND)
                container.mux(picture.encode(frame))
            container.mux(picture.encode(None))
        if audio is not None:
            sound = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
            sound.sample_rate, sound.pts = RATE_HZ, 0
            container.mux(audio.encode(sound))
            container.mux(audio.encode(None))


def draw_card(title: str, progress: float) -> Image.Image:
    """Draw the title on plain paper, with a bar that grows from 0 to 1."""
    image = Image.new("RGB", SIZE, PAPER["B"])
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 8, SIZE[1]), fill=PAPER["A"])
    font = ImageFont.load_default(size=22)
    draw.multiline_text((26, 36), textwrap.fill(title, 24), fill=PAPER["A"], font=font, spacing=6)
    draw.rectangle((26, 158, 26 + int(268 * progress), 161), fill=PAPER["A"])
    return image
