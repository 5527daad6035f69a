"""A bench as one page of HTML for people, with nothing outside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from plmrec.app.html_parts import STYLE, table
from plmrec.text.numbers import ends, interval, number

_MORE_STYLE: Final = (
    "svg{max-width:100%;height:auto}.wide{overflow-x:auto}p{max-width:50em;line-height:1.4}"
    "td,th{white-space:nowrap}td.text{white-space:normal;text-align:left}"
)
_CAPTIONS: Final = {
    "ndcg": "Accuracy",
    "coverage": "Accuracy and variety",
    "ablation": "What the release's parts are worth",
}

Result = Mapping[str, Any]


def bench_page(result: Result, plots: Mapping[str, str]) -> str:
    """Write the page.

    Args:
        result: See ``bench_quality``.
        plots: SVG elements by name; see ``draw_plots``.
    """
    title = f"Quality on {result['dataset']}, protocol {result['protocol']}"
    judged = [
        model
        for model in result["models"]
        if model["status"] == "ok" and model["family"] != "ablation"
    ]
    sections = [
        ("Models", _models(judged, result) + _left_out(result)),
        *((_CAPTIONS[name], plot) for name, plot in plots.items()),
        (f"{result['reference']} against each", _versus(result["comparisons"], result)),
        ("The release with fewer parts", _versus(result["ablation"], result)),
        ("Besides accuracy", _besides(judged, result)),
        ("Slices", _slices(judged, result)),
        ("Groups of users", _gaps(judged)),
        ("Options", _options(judged)),
    ]
    body = "".join(
        f'<h2>{escape(str(head))}</h2><div class="wide">{text}</div>'
        for head, text in sections
        if text
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}{_MORE_STYLE}</style><h1>{escape(title)}</h1>{_intro(result)}{body}"
        "</html>\n"
    )


def _intro(result: Result) -> str:
    encoder = result["encoder"].get("name") or "none"
    lines = [
        f"{result['users']} users, {result['items']} items, {result['likes']} likes to learn from. "
        f"{result['judged']} users are judged by {result['heldout']} held-out likes; lists of "
        f"{result['k']} are chosen among {result['competing']} items without those a user knows.",
        f"Protocol {result['protocol']}: {result['knows']}.",
        "Options of the models were searched on a part of the training side. Intervals are a "
        f"bootstrap over users, {100 * result['confidence']:g} %. Models that draw numbers were "
        f"fitted with {result['seeds']} seed(s).",
        f"Texts: encoder {encoder}. Data {str(result['dataset_digest'])[:12]}, split "
        f"{str(result['split_digest'])[:12]}.",
    ]
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _models(models: Sequence[Result], result: Result) -> str:
    k = result["k"]
    names = [f"ndcg@{k}", f"recall@{k}", "mrr", f"hit_rate@{k}"]
    rows = [
        (
            model["model"],
            model["family"],
            *(number(model["metrics"].get(name)) for name in names[:1]),
            interval(model["intervals"][names[0]]),
            *(number(model["metrics"].get(name)) for name in names[1:]),
            *(number(model[cost], 1) for cost in ("tune_s", "fit_s", "score_s")),
            number(model["peak_mb"], 0),
        )
        for model in models
    ]
    heads = ("model", "family", names[0], "interval", *names[1:])
    return table((*heads, "tune s", "fit s", "score s", "peak MB"), rows) if rows else ""


def _left_out(result: Result) -> str:
    reasons = [
        f"<li>{escape(model['model'])}: {escape(model['reason'])}</li>"
        for model in result["models"]
        if model["status"] != "ok"
    ]
    return f"<p>Left out:</p><ul>{''.join(reasons)}</ul>" if reasons else ""


def _versus(comparisons: Sequence[Result], result: Result) -> str:
    """Differences and ratios; the p-values are corrected for all rows together."""
    rows = [
        (
            versus["model"],
            interval(versus["difference"], with_mean=True),
            number(versus["ratio"][0], 3),
            ends(versus["ratio"], 3),
            _p_value(versus["p"]),
            _p_value(versus["p_holm"]),
        )
        for versus in comparisons
    ]
    heads = ("model", f"gain in ndcg@{result['k']}", "ratio", "interval", "p", "p, Holm")
    return table(heads, rows) if rows else ""


def _besides(models: Sequence[Result], result: Result) -> str:
    k = result["k"]
    names = [f"{name}@{k}" for name in ("coverage", "gini", "novelty", "diversity", "age_days")]
    rows = [
        (model["model"], *(number(model["metrics"].get(name), 3) for name in names))
        for model in models
    ]
    said = (
        "<p>Coverage: share of the items that any list shows. Gini: how unequally items are shown, "
        "0 all alike. Novelty: bits, more for less popular items. Diversity: 1 minus the mean "
        "cosine of a list's texts. Age: days since an item appeared.</p>"
    )
    return said + table(("model", *names), rows) if rows else ""


def _slices(models: Sequence[Result], result: Result) -> str:
    """NDCG of every model in every slice, with the slice's number of users."""
    ndcg = f"ndcg@{result['k']}"
    found = [{**model["slices"], **model["item_slices"]} for model in models]
    sizes = {name: each["users"] for slices in found for name, each in slices.items()}
    rows = [
        (model["model"], *(number(slices.get(name, {}).get(ndcg)) for name in sizes))
        for model, slices in zip(models, found, strict=True)
    ]
    said = (
        f"<p>{escape(ndcg)}, and how many users are in the slice; of a slice of items, only its "
        "held-out likes count.</p>"
    )
    heads = ("model", *(f"{name} ({size:.0f})" for name, size in sizes.items()))
    return said + table(heads, rows) if sizes else ""


def _gaps(models: Sequence[Result]) -> str:
    """How far apart the groups of each attribute are, per model."""
    names = list(dict.fromkeys(name for model in models for name in model["gaps"]))
    rows = [
        (
            model["model"],
            *(number(model["gaps"].get(name, {}).get("gap")) for name in names),
        )
        for model in models
    ]
    said = (
        "<p>Largest minus smallest mean NDCG over the groups of an attribute with at least 30 "
        "users; with small groups a part of it is chance.</p>"
    )
    return said + table(("model", *names), rows) if names else ""


def _options(models: Sequence[Result]) -> str:
    rows = []
    for model in models:
        options = model["recipe"].get("options", {})
        options = options.get("weights", {}) if "parts" in options else options
        told = ", ".join(f"{name} {_short(value)}" for name, value in options.items())
        rows.append(f"<tr><td>{escape(model['model'])}<td class=text>{escape(told or 'none')}")
    said = "<p>Set by the bench or found by the search; of a blend, the weights.</p>"
    return f"{said}<table>{''.join(rows)}</table>" if rows else ""


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_short(part)}" for name, part in value.items()) + ")"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _p_value(value: float | None) -> str:
    return "" if value is None else ("< 0.001" if value < 0.001 else f"{value:.3f}")
