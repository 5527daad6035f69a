"""An evaluation as one small page of HTML, for MLflow's artifact view."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from plmrec.app.html_parts import STYLE, table
from plmrec.text.numbers import interval, number


def evaluation_page(
    version: int, comparison: Mapping[str, Any], decision: Mapping[str, Any]
) -> str:
    """Write the page.

    Args:
        version: The release that was judged.
        comparison: ``Comparison.as_dict()``.
        decision: ``verdict``, ``reasons`` and ``rules``.
    """
    reasons = "".join(f"<li>{escape(str(reason))}</li>" for reason in decision["reasons"])
    head = f"Release {version}: {decision['verdict']}"
    return (
        f'<!doctype html><meta charset="utf-8"><title>{escape(head)}</title>'
        f"<style>{STYLE}</style><h1>{escape(head)}</h1><ul>{reasons}</ul>"
        f"<p>{comparison['users']} users, split by {escape(str(comparison['split']))}, "
        f"digest {escape(str(comparison['split_digest']))}</p>"
        f"<h2>Metrics</h2>{_metrics(comparison)}"
        f"<h2>Slices of users</h2>{_grid(comparison['slices'])}"
        f"<h2>Slices of items</h2>{_grid(comparison['item_slices'])}"
        f"<h2>Groups of users</h2>{_gaps(comparison['gaps'])}"
        f"<h2>Parts alone</h2>{_grid(comparison['baselines'])}\n"
    )


def _metrics(comparison: Mapping[str, Any]) -> str:
    """Challenger and champion side by side, with the intervals."""
    champion = comparison["champion"] or {}
    rows = [
        (
            name,
            number(value),
            interval(comparison["intervals"].get(name)),
            number(champion.get(name)),
            interval(comparison["gains"].get(name), with_mean=True),
        )
        for name, value in comparison["challenger"].items()
    ]
    return table(("metric", "challenger", "interval", "champion", "gain"), rows)


def _grid(groups: Mapping[str, Mapping[str, Any]]) -> str:
    """One row per group, one column per metric."""
    names = list(dict.fromkeys(name for values in groups.values() for name in values))
    rows = [
        (group, *(number(values.get(name)) for name in names)) for group, values in groups.items()
    ]
    return table(("", *names), rows)


def _gaps(gaps: Mapping[str, Mapping[str, Any]]) -> str:
    """One row per group of an attribute, the gap at the first."""
    rows = [
        (
            "" if place else attribute,
            value,
            f"{group['users']:.0f}",
            number(group["mean"]),
            "" if place else number(gap["gap"]),
        )
        for attribute, gap in gaps.items()
        for place, (value, group) in enumerate(gap["groups"].items())
    ]
    return table(("attribute", "group", "users", "ndcg", "gap"), rows)
