"""Questions to the versions of the taxonomy: which there are, what they hold, how they differ."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from plmrec.app.context import Context, open_context
from plmrec.app.embed import encoder_fingerprint
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stores.tables import meanings_table
from plmrec.stores.taxonomies import load_taxonomy, taxonomy_versions

_SAME_VECTOR: Final = 0.95
_SAME_OFFSET: Final = 0.02


def versions(
    *, settings: Settings | None = None, params: Params | None = None
) -> list[dict[str, Any]]:
    """List the versions, oldest first.

    Returns:
        Dicts with ``version tags curated genre creator mined digest encoder``.
    """
    context = open_context(settings, params)
    found = []
    for version in taxonomy_versions(context.workspace):
        taxonomy = load_taxonomy(context.workspace, version)
        origins = Counter(str(tag.origin) for tag in taxonomy.tags)
        found.append(
            {
                "version": version,
                "tags": taxonomy.n_tags,
                **{name: origins[name] for name in ("curated", "genre", "creator", "mined")},
                "digest": taxonomy.digest,
                "encoder": taxonomy.fingerprint,
            }
        )
    return found


def show(
    version: int | None = None, *, settings: Settings | None = None, params: Params | None = None
) -> list[dict[str, Any]]:
    """Tags of a version, the newest by default, each with the number of items that carry it.

    Returns:
        Dicts with ``tag_id name origin items labels offset scale``, by origin and id.

    Raises:
        MissingStageError: There is no such version.
    """
    context = open_context(settings, params)
    taxonomy = load_taxonomy(context.workspace, version)
    carried, labels = _count(context)
    rows = [
        {
            "tag_id": tag.tag_id,
            "name": tag.name,
            "origin": tag.origin,
            "items": carried[tag.tag_id],
            "labels": labels[tag.tag_id],
            "offset": round(float(taxonomy.offsets[place]), 3),
            "scale": round(float(taxonomy.scales[place]), 3),
        }
        for place, tag in enumerate(taxonomy.tags)
    ]
    return sorted(rows, key=lambda row: (row["origin"], row["tag_id"]))


def diff(
    old: int, new: int, *, settings: Settings | None = None, params: Params | None = None
) -> list[dict[str, Any]]:
    """What one version has and another has not, or has otherwise.

    Returns:
        Dicts with ``change tag_id name detail``; change is added, removed, words, or, where both
        versions are of one encoder, moved (the cosine of its vectors is below 0.95) or threshold
        (an item must be nearer, or may be farther, by more than 0.02).

    Raises:
        MissingStageError: There is no such version.
    """
    context = open_context(settings, params)
    before, after = (load_taxonomy(context.workspace, version) for version in (old, new))
    was, now = before.positions(), after.positions()
    rows = []
    for tag_id in sorted(was.keys() | now.keys()):
        if tag_id not in now:
            tag = before.tags[was[tag_id]]
            rows.append({"change": "removed", "tag_id": tag_id, "name": tag.name, "detail": ""})
            continue
        tag = after.tags[now[tag_id]]
        row = {"tag_id": tag_id, "name": tag.name}
        if tag_id not in was:
            rows.append({"change": "added", **row, "detail": ""})
            continue
        first = before.tags[was[tag_id]]
        if (first.name, first.words) != (tag.name, tag.words):
            detail = f"was {first.name}: {', '.join(first.words)}"
            rows.append({"change": "words", **row, "detail": detail})
        elif before.fingerprint == after.fingerprint:
            cosine = float(before.vectors[was[tag_id]] @ after.vectors[now[tag_id]])
            if cosine < _SAME_VECTOR:
                rows.append({"change": "moved", **row, "detail": f"cosine {cosine:.3f}"})
                continue
            low, high = float(before.offsets[was[tag_id]]), float(after.offsets[now[tag_id]])
            if abs(high - low) > _SAME_OFFSET:
                rows.append({"change": "threshold", **row, "detail": f"{low:.3f} to {high:.3f}"})
    return rows


def _count(context: Context) -> tuple[Counter[str], Counter[str]]:
    """Items that carry each tag, and those of them that are labelled with it."""
    table = meanings_table(context.workspace, context.params.shards, encoder_fingerprint(context))
    carried: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    for row in table.rows(["tags"]):
        carried.update(tag["tag_id"] for tag in row["tags"] or ())
        labels.update(tag["tag_id"] for tag in row["tags"] or () if tag["is_label"])
    return carried, labels
