"""The plots of a bench, as SVG that can stand in a page."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind people can tell apart.
_COLOURS: Final = {
    "classic": "#0072B2",
    "language model": "#D55E00",
    "release": "#009E73",
    "ablation": "#777777",
}
_INCH_PER_ROW: Final = 0.3


def draw_plots(result: Mapping[str, Any]) -> dict[str, str]:
    """Draw what a bench found.

    Args:
        result: See ``bench_quality``.

    Returns:
        SVG elements by name: ``ndcg``, ``coverage``, and ``ablation`` where there is one; nothing
        when no model was judged.
    """
    judged = [
        model
        for model in result["models"]
        if model["status"] == "ok" and model["family"] != "ablation"
    ]
    if not judged:
        return {}
    plots = {"ndcg": _draw_ndcg(judged, result), "coverage": _draw_coverage(judged, result)}
    if result["ablation"]:
        plots["ablation"] = _draw_ablation(result)
    return plots


def _draw_ndcg(models: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> str:
    """NDCG of every model with its interval, the best on top."""
    ndcg = f"ndcg@{result['k']}"
    models = sorted(models, key=lambda model: float(model["metrics"][ndcg] or 0.0))
    figure, axes = _open_axes(len(models))
    for place, model in enumerate(models):
        mean, low, high = (value or 0.0 for value in model["intervals"][ndcg])
        _draw_interval(axes, place, (mean, low, high), _COLOURS[model["family"]])
    _name_rows(axes, [str(model["model"]) for model in models])
    axes.set_xlim(left=0.0)
    axes.set_xlabel(f"{ndcg}, {_percent(result)} interval over users")
    _explain_colours(axes, models)
    return _as_svg(figure)


def _draw_coverage(models: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> str:
    """Accuracy against the share of the catalogue that is ever shown."""
    ndcg, coverage = f"ndcg@{result['k']}", f"coverage@{result['k']}"
    figure, axes = _open_axes(14)
    for model in models:
        place = (model["metrics"][coverage] or 0.0, model["metrics"][ndcg] or 0.0)
        axes.plot(*place, "o", color=_COLOURS[model["family"]])
        axes.annotate(
            str(model["model"]), place, xytext=(5, 4), textcoords="offset points", fontsize=8,
            parse_math=False,
        )  # fmt: skip
    axes.set_xlabel(f"{coverage}: share of the items that any list shows")
    axes.set_ylabel(ndcg)
    axes.set_ylim(bottom=0.0)
    axes.margins(x=0.18, y=0.08)
    axes.grid(alpha=0.3)
    _explain_colours(axes, models)
    return _as_svg(figure)


def _draw_ablation(result: Mapping[str, Any]) -> str:
    """What the release loses without some of its parts."""
    rows = list(reversed(result["ablation"]))
    figure, axes = _open_axes(len(rows))
    for place, row in enumerate(rows):
        mean, low, high = (value or 0.0 for value in row["difference"])
        _draw_interval(axes, place, (mean, low, high), _COLOURS["ablation"])
    _name_rows(axes, [str(row["model"]) for row in rows])
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set_xlabel(f"loss in ndcg@{result['k']} against the release, {_percent(result)} interval")
    return _as_svg(figure)


def _open_axes(n_rows: int) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 1.2 + _INCH_PER_ROW * n_rows), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _draw_interval(
    axes: Axes, place: int, interval: tuple[float, float, float], colour: str
) -> None:
    mean, low, high = interval
    axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
    axes.plot(mean, place, "o", color=colour)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), labels=names, parse_math=False)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(axis="x", alpha=0.3)


def _explain_colours(axes: Axes, models: Sequence[Mapping[str, Any]]) -> None:
    from matplotlib.lines import Line2D

    families = [family for family in _COLOURS if any(m["family"] == family for m in models)]
    handles = [
        Line2D([], [], marker="o", linestyle="", color=_COLOURS[family], label=family)
        for family in families
    ]
    axes.legend(handles=handles, frameon=False, loc="lower right", fontsize=8)


def _percent(result: Mapping[str, Any]) -> str:
    return f"{100 * float(result['confidence']):g} %"


def _as_svg(figure: Figure) -> str:
    """The element alone, the same for the same figure."""
    from matplotlib import rc_context

    written = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "plmrec"}):
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    return text[text.index("<svg") :].strip()
