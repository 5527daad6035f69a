"""Small raw datasets and media files, good and bad, for the tests of validation."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np

HEADER = "user_id,item_id,event,value,timestamp"


def item(item_id: Any, **values: Any) -> dict[str, Any]:
    """A good item."""
    return {"item_id": item_id, "kind": "video", "title": f"Title {item_id}"} | values


def write_dataset(
    folder: Path,
    items: list[dict[str, Any] | bytes],
    interactions: list[str | bytes] | None = None,
    *,
    header: str = HEADER,
) -> Path:
    """Write items.jsonl and interactions.csv; bytes are lines as they are."""
    (folder / "media").mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in items]
    (folder / "items.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    rows = [row if isinstance(row, bytes) else row.encode() for row in interactions or []]
    (folder / "interactions.csv").write_bytes(
        b"".join(line + b"\n" for line in [header.encode(), *rows])
    )
    return folder


def write_sound(path: Path, *, seconds: float = 0.5, silent: bool = False) -> Path:
    """Write a WAV file, 16 kHz mono: a tone or silence."""
    time = np.arange(int(16_000 * seconds)) / 16_000
    samples = np.zeros_like(time) if silent else 0.3 * np.sin(2 * np.pi * 440 * time)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def write_video(path: Path, *, frames: int = 10) -> Path:
    """Write an MP4 file with a picture and no sound."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            picture = np.full((48, 64, 3), number * 20 % 255, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path
