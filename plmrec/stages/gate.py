"""The numbers by which a whole dataset is judged, and what is said when they are too bad."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from plmrec.quality.base import Limits


def gate_facts(
    counts: Mapping[str, tuple[int, int]], *, before: Mapping[str, int], min_rows: int
) -> dict[str, float]:
    """The facts to be judged.

    Args:
        counts: Rows in and rows accepted, by table.
        before: Rows accepted by the last run on the same source, by table.
        min_rows: Tables with fewer rows are not judged by shares.

    Returns:
        ``items_out``; per table ``<table>_refused_share`` and ``<table>_volume_drop``, in [0, 1].
    """
    facts = {"items_out": float(counts["items"][1])}
    for table, (n_in, n_out) in counts.items():
        if n_in >= min_rows:
            facts[f"{table}_refused_share"] = 1.0 - n_out / n_in
        if (n_before := before.get(table, 0)) >= min_rows:
            facts[f"{table}_volume_drop"] = max(0.0, 1.0 - n_out / n_before)
    return facts


def breach_text(
    breaches: Sequence[str],
    facts: Mapping[str, float],
    limits: Limits,
    reasons: Mapping[str, Counter[str]],
) -> str:
    """Say what was expected and what was found, for each fact that stops the run."""
    return "; ".join(_say(name, facts[name], limits, reasons) for name in breaches)


def _say(name: str, value: float, limits: Limits, reasons: Mapping[str, Counter[str]]) -> str:
    if name == "items_out":
        return f"expected at least one good item, got none{_why('items', reasons)}"
    table, _, fact = name.partition("_")
    if fact == "refused_share":
        limit = limits.max_quarantined_share
        why = _why(table, reasons)
        return f"expected at most {limit:.1%} of {table} in quarantine, got {value:.1%}{why}"
    return (
        f"expected at most {limits.max_volume_drop:.1%} of {table} to be gone since the last run, "
        f"got {value:.1%}"
    )


def _why(table: str, reasons: Mapping[str, Counter[str]]) -> str:
    found = reasons.get(table, Counter()).most_common(5)
    return f" ({', '.join(f'{reason} {count:,}' for reason, count in found)})" if found else ""
