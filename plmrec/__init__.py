"""plmrec: recommendations grounded in what media say, from dataset to live index."""

from __future__ import annotations

__version__ = "0.1.0"
