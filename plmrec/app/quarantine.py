"""Questions to the quarantine: what was refused, why, and where it came from."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from plmrec.app.context import open_context
from plmrec.settings import Settings
from plmrec.stores.quarantine import Quarantine


def list_quarantine(
    *,
    reason: str | None = None,
    table: str | None = None,
    limit: int | None = None,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Count refusals by stage, table and reason, and show some of them.

    Args:
        reason: Only refusals with this reason code.
        table: Only refusals of this table.
        limit: Most refusals to return of each kind; all when None.
        settings: Where to look; the environment when None.

    Returns:
        ``total``, ``counts`` (``stage``, ``table``, ``reason``, ``count`` each) and
        ``refusals``, sorted by stage, table and reason.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    refusals: list[dict[str, Any]] = []
    for refusal in Quarantine(open_context(settings).workspace).list():
        if reason not in {None, refusal.reason} or table not in {None, refusal.table}:
            continue
        kind = (refusal.stage, refusal.table, refusal.reason)
        counts[kind] += 1
        if limit is None or counts[kind] <= limit:
            refusals.append(asdict(refusal))
    refusals.sort(key=lambda row: (row["stage"], row["table"], row["reason"]))
    return {
        "total": sum(counts.values()),
        "counts": [
            {"stage": kind[0], "table": kind[1], "reason": kind[2], "count": count}
            for kind, count in sorted(counts.items())
        ],
        "refusals": refusals,
    }
