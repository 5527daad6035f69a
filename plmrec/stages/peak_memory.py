"""How much memory a piece of work takes at its highest."""

from __future__ import annotations

import ctypes
import gc
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

_CLEAR: Final = Path("/proc/self/clear_refs")
_STATUS: Final = Path("/proc/self/status")
_RESET_PEAK: Final = "5"  # see proc(5)


class PeakMemory:
    """Counts from its making on; the operating system must be Linux.

    Memory that was free before and is used again does not count, so what a process freed is given
    back to the system first, where its allocator can.
    """

    def __init__(self) -> None:
        gc.collect()
        with suppress(AttributeError, OSError):  # another C library: the numbers are a bit lower
            ctypes.CDLL(None).malloc_trim(0)
        try:
            _CLEAR.write_text(_RESET_PEAK)
            self._start = _read("VmRSS")
        except OSError:
            self._start = float("nan")

    def megabytes(self) -> float:
        """Highest use so far above that at the start; nan where the system does not tell."""
        try:
            return max(_read("VmHWM") - self._start, 0.0)
        except OSError:
            return float("nan")


def peak_megabytes() -> float:
    """Most memory that this process has held at once, megabytes; nan where no one tells."""
    try:
        return _read("VmHWM")
    except OSError:
        return float("nan")


def _read(field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    return int(found.group(1)) / 1024 if found else float("nan")
