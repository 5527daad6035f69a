"""An evaluation as one small page of HTML, for MLflow's artifact view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

_STYLE: Final = (
    "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse;margin:1em 0}"
    "td,th{padding:.3em .8em;border-bottom:1px solid #ccc;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
)


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
        f"<style>{_STYLE}</style><h1>{escape(head)}</h1><ul>{reasons}</ul>"
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
            _number(value),
            _interval(comparison["intervals"].get(name)),
            _number(champion.get(name)),
            _interval(comparison["gains"].get(name), with_mean=True),
        )
        for name, value in comparison["challenger"].items()
    ]
    return _table(("metric", "challenger", "interval", "champion", "gain"), rows)


def _grid(groups: Mapping[str, Mapping[str, Any]]) -> str:
    """One row per group, one column per metric."""
    names = list(dict.fromkeys(name for values in groups.values() for name in values))
    rows = [
        (group, *(_number(values.get(name)) for name in names)) for group, values in groups.items()
    ]
    return _table(("", *names), rows)


def _gaps(gaps: Mapping[str, Mapping[str, Any]]) -> str:
    """One row per group of an attribute, the gap at the first."""
    rows = [
        (
            "" if place else attribute,
            value,
            f"{group['users']:.0f}",
            _number(group["mean"]),
            "" if place else _number(gap["gap"]),
        )
        for attribute, gap in gaps.items()
        for place, (value, group) in enumerate(gap["groups"].items())
    ]
    return _table(("attribute", "group", "users", "ndcg", "gap"), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [("th", heads), *(("td", row) for row in rows)]
    return "<table>{}</table>".format(
        "".join(
            "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
            for tag, cells in lines
        )
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _interval(values: Sequence[float | None] | None, *, with_mean: bool = False) -> str:
    if values is None or any(value is None for value in values):
        return ""
    mean, low, high = values
    return f"{mean:+.4f} ({low:+.4f} to {high:+.4f})" if with_mean else f"{low:.4f} to {high:.4f}"
