"""How numbers are written for people, on pages and in tables."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many digits after the point; empty for None."""
    return "" if value is None else f"{value:.{digits}f}"


def interval(values: Sequence[float | None] | None, *, with_mean: bool = False) -> str:
    """An interval ``[mean, low, high]``; signed and with its mean if asked for."""
    if values is None or any(value is None for value in values):
        return ""
    mean, low, high = values
    return f"{mean:+.4f} ({low:+.4f} to {high:+.4f})" if with_mean else f"{low:.4f} to {high:.4f}"


def ends(values: Sequence[float | None], digits: int = 4) -> str:
    """Both ends of an interval ``[mean, low, high]``; a dash for None."""
    return " to ".join(number(end, digits) or "-" for end in values[1:])
