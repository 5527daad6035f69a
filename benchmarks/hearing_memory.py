"""Peak memory of hearing by the length of a medium: two short recordings, then hours of one.

The long medium is silent but for one recording every ten minutes. Everything runs in this one
process, so that its peak after the short recordings is that of the models, and what is more
after the long one is what the length costs.

    python benchmarks/hearing_memory.py [--hours 6] [--refs sample/spoken.tsv]
"""

from __future__ import annotations

import argparse
import tempfile
import time
import wave
from functools import partial
from pathlib import Path

import numpy as np

from plmrec.params import SpeechParams
from plmrec.speech._media import open_sound
from plmrec.speech.base import SAMPLE_RATE_HZ
from plmrec.stages.hearing import Medium, hear
from plmrec.stages.peak_memory import peak_megabytes
from plmrec.stages.recognisers import Recognisers

EVERY_S = 600


def read_pcm(path: Path) -> bytes:
    """The sound of a recording, 16 bit."""
    with path.open("rb") as file:
        container, sound = open_sound(file, max_s=EVERY_S)
        with container:
            samples = np.concatenate(list(sound.chunks())) if sound else np.zeros(0)
    return (samples * 32767).astype("<i2").tobytes()


def write_long(path: Path, pcm: bytes, hours: float) -> None:
    """Write silence with the recording in it every ten minutes, block by block."""
    silence = bytes(2 * SAMPLE_RATE_HZ)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        for _ in range(round(hours * 3600 / EVERY_S)):
            file.writeframes(pcm)
            for _ in range(EVERY_S - len(pcm) // len(silence)):
                file.writeframes(silence)


def main() -> None:
    """Hear and print a row for the short recordings, and one for the long one."""
    from plmrec.app.bench_speech import read_references

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--refs", type=Path, default=Path("sample/spoken.tsv"))
    arguments = parser.parse_args()
    paths = [each.path for each in read_references(arguments.refs)[:2]]
    recognisers = Recognisers(params=SpeechParams())
    print(f"{'medium':<12}{'media_s':>9}{'segments':>10}{'peak_mb':>9}{'seconds':>9}")
    with tempfile.TemporaryDirectory() as temporary:
        long = Path(temporary) / "long.wav"
        write_long(long, read_pcm(paths[0]), arguments.hours)
        for name, some in (("two short", paths), (f"{arguments.hours:g} h", [long])):
            started = time.perf_counter()
            texts = hear(
                [Medium(key=str(p), origin=p.name, open=partial(p.open, "rb")) for p in some],
                recogniser=recognisers.choices[0].first,
                detector=recognisers.detector,
                max_s=24 * 3600,
            )
            print(
                f"{name:<12}{sum(text.media_s for text in texts):>9.1f}"
                f"{sum(len(text.segments) for text in texts):>10}{peak_megabytes():>9.0f}"
                f"{time.perf_counter() - started:>9.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
