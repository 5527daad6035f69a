from __future__ import annotations

import sys

import numpy as np
import pytest

from plmrec.stages.peak_memory import PeakMemory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a peak")


def test_counts_what_was_taken_and_given_back_and_nothing_before():
    before = np.ones(30_000_000 // 8)
    del before
    gauge = PeakMemory()
    taken = np.ones(80_000_000 // 8)
    del taken
    assert 60.0 < gauge.megabytes() < 100.0
