"""The report on texts as one page of HTML for people, with nothing outside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from plmrec.app.html_parts import STYLE, table
from plmrec.text.cleaning import shorten

_MORE_STYLE: Final = (
    "body{max-width:75em;line-height:1.4}p{max-width:50em}.bars{display:grid;gap:0 3em;"
    "grid-template-columns:repeat(auto-fill,minmax(27em,1fr))}.bars table{width:100%;margin:0}"
    ".bars td,.bars th{border:0;padding:.1em .5em;vertical-align:middle}"
    ".bars td:first-child{width:14em;overflow-wrap:anywhere}.bars td.bar{width:55%;text-align:left}"
    ".bar div{background:#0072B2;height:.9em}.card{border:1px solid #ccc;border-radius:4px;"
    "padding:.6em 1em;margin:1em 0;overflow-wrap:anywhere}.card h3{margin:.2em 0}"
    ".card dl{display:grid;grid-template-columns:8em 1fr;margin:.4em 0;gap:.1em 1em}"
    ".card dt{color:#555}.card dd{margin:0}.tag{background:#eee;border-radius:3px;"
    "padding:0 .4em;margin-right:.3em;display:inline-block}.tag.label{background:#cde7f5}"
    "td.text,th.text{text-align:left;overflow-wrap:anywhere}"
    "td.id{white-space:nowrap}.left td,.left th{text-align:left}"
)
_SHOWN: Final = 160  # characters of a text in a table
_SAID: Final = {
    "Emptiest": "Fewest words beside title, genres and names. A media file, subtitles or a "
    "description would help these most.",
    "Farthest from all others": "Even the text most like them is far: often another language, "
    "lists of numbers, or texts that are not about the item.",
    "Most repetitive": "Their bytes shrink to less than a third: words said again and again, as "
    "recognisers do in music, or text that was copied.",
    "Of no known language": "Words there are, but too few, or of no language that can be told.",
    "Of another language than the dataset gives": "The dataset names one language, the words are "
    "of another.",
}


def text_page(found: Mapping[str, Any], *, names: Mapping[str, str], mask: bool) -> str:
    """Write the page.

    Args:
        found: See ``describe_texts``.
        names: Of tags, by id.
        mask: Whether personal data was masked.
    """
    sections = [
        ("What is there", _counts(found)),
        ("Personal data", _masked(found, mask=mask)),
        ("How it is spread", _distributions(found["distributions"], names)),
        ("Samples", "".join(_card(row, names) for row in found["samples"])),
        *((name, _odd(name, rows)) for name, rows in found["odd"].items()),
        ("Made by", _models(found["models"])),
    ]
    title = f"Texts of {found['items']:,} items"
    parts = "".join(f"<h2>{escape(head)}</h2>{text}" for head, text in sections if text)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}{_MORE_STYLE}</style><h1>{escape(title)}</h1>{parts}</html>\n"
    )


def _counts(found: Mapping[str, Any]) -> str:
    n_items = max(found["items"], 1)
    rows = [
        (name, f"{count:,}", f"{100 * count / n_items:.0f} %")
        for name, count in found["counts"].items()
    ]
    return table(("", "items", "share"), rows)


def _masked(found: Mapping[str, Any], *, mask: bool) -> str:
    if not mask:
        return "<p>Not looked for: <code>documents.mask</code> is off in params.yaml.</p>"
    if not found["masked"]:
        return "<p>None was found.</p>"
    rows = [(kind, f"{count:,}") for kind, count in found["masked"].items()]
    said = (
        f"<p>Masked in {found['masked_items']:,} items before their text was embedded; the "
        "originals are in the transcripts and the dataset only.</p>"
    )
    return said + table(("kind", "masked"), rows)


def _distributions(distributions: Mapping[str, Mapping[str, int]], names: Mapping[str, str]) -> str:
    blocks = []
    for head, counts in distributions.items():
        if not counts:
            continue
        largest = max(*counts.values(), 1)
        rows = "".join(
            f"<tr><td>{escape(names.get(label, label))}"
            f'<td class=bar><div style="width:{100 * count / largest:.1f}%"></div>'
            f"<td>{count:,}"
            for label, count in counts.items()
        )
        blocks.append(f"<div><h3>{escape(head)}</h3><table>{rows}</table></div>")
    return f'<div class="bars">{"".join(blocks)}</div>'


def _card(row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """One item with all that was made of it."""
    tags = "".join(
        f'<span class="tag{" label" if is_label else ""}">{escape(names.get(tag_id, tag_id))}'
        f"{'' if is_label else f' {strength:.2f}'}</span>"
        for tag_id, strength, is_label in row["tags"]
    )
    topic = f"{row['topic']} ({row['topic_id']})" if row["topic_id"] else "near none"
    facts = [
        ("text", escape(shorten(row["text"], 390))),
        ("language", escape(_language(row))),
        ("summary", escape(row["summary"] or "none")),
        ("keywords", escape(", ".join(row["keywords"]) or "none")),
        ("topic", escape(topic)),
        ("mood", escape(_mood(row))),
        ("tags", tags or "none"),
    ]
    if row["masked"]:
        told = ", ".join(f"{kind} {count}" for kind, count in row["masked"].items())
        facts.append(("masked", escape(told)))
    lines = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts)
    return (
        f'<div class="card"><h3>{escape(shorten(row["head"], _SHOWN))}</h3>'
        f"<small>{escape(row['item_id'])}, {escape(row['kind'] or '')}, transcript: "
        f"{escape(row['transcript'])}</small><dl>{lines}</dl></div>"
    )


def _language(row: Mapping[str, Any]) -> str:
    told = "not told"
    if row["language"]:
        told = f"{row['language']}, sure to {100 * (row['language_confidence'] or 0):.0f} %"
    return f"{told}; the dataset says {row['given_language']}" if row["given_language"] else told


def _mood(row: Mapping[str, Any]) -> str:
    text = "not told" if row["sentiment"] is None else f"{row['sentiment']:+.2f}"
    if not row["n_comments"]:
        return text
    mood = row["comments_sentiment"]
    said = "not told" if mood is None else f"{mood:+.2f}"
    return f"{text}; comments ({row['n_comments']}): {said}"


def _odd(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    lines = "".join(
        f"<tr><td class=id>{escape(row['item_id'])}"
        f"<td class=text>{escape(shorten(row['head'], _SHOWN))}"
        f"<td class=text>{escape('' if row['is_bare'] else shorten(row['text'], _SHOWN))}"
        f"<td>{row['n_words']:,}<td>{row['repetition']:.1f}<td>{escape(row['language'] or '')}"
        for row in rows
    )
    heads = "<tr><th>item<th class=text>title and names<th class=text>text<th>words<th>repetition"
    return f"<p>{escape(_SAID[name])}</p><table>{heads}<th>language</tr>{lines}</table>"


def _models(models: Mapping[str, str]) -> str:
    made = table(("field", "model and version"), list(models.items())) if models else ""
    return f'<div class="left">{made}</div>'
