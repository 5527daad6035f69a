"""Makes any process that opens ``deadly.wav`` die, as a defect in a decoder would."""

from __future__ import annotations

import os
import signal
import sys


def _die(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and str(arguments[0]).endswith("deadly.wav"):
        os.kill(os.getpid(), signal.SIGSEGV)


sys.addaudithook(_die)
