"""The items for a tag: how strongly each carries it, and the passage that says so."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plmrec.app.context import Context, open_context
from plmrec.app.inputs import read_inputs
from plmrec.app.training_data import load_tags, masker
from plmrec.digests import shard_of
from plmrec.errors import MissingStageError, ParamsError
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stores.tables import items_table, passages_table
from plmrec.stores.workspace import ShardedTable
from plmrec.tags import Origin, Tag, Taxonomy
from plmrec.types import FloatMatrix

_NEAR: Final = 5  # names that an unknown tag is told
_ALIKE: Final = 0.5  # of difflib's ratio, from which a name counts as near
_SMALL: Final = 1e-6
_FIRST: Final[tuple[Origin, ...]] = ("genre", "curated", "creator", "mined")  # of one name


def match(
    tag: str, k: int = 10, *, settings: Settings | None = None, params: Params | None = None
) -> dict[str, Any]:
    """List the k items that carry a tag most strongly, from the workspace alone.

    Args:
        tag: Id or name of a tag of the taxonomy, in capitals or not.
        k: Items to list.
        settings: Where to run; the environment by default.
        params: ``shards`` and ``documents.mask`` are used.

    Returns:
        ``tag_id name origin also taxonomy encoder n_items items``; ``also`` are the ids of other
        tags of that name, and ``n_items`` items carry the tag. Each of ``items``, the strongest
        first, has ``rank item_id title strength similarity is_label passage start_s end_s``: of its
        passages the one nearest to the tag, and the seconds at which it is spoken, None where it
        is not.

    Raises:
        ParamsError: The taxonomy has no such tag.
        MissingStageError: The items have no tags yet.
    """
    context = open_context(settings, params)
    inputs = read_inputs(context)
    opened = load_tags(context, inputs.fingerprint)
    if opened is None:
        raise MissingStageError(
            f"match: expected items with tags in {context.workspace.root}, found none",
            hint="Run plmrec understand first",
        )
    taxonomy, meanings = opened
    place, *others = find_tags(taxonomy, tag)
    chosen = taxonomy.tags[place]
    carrying = _carrying(meanings, chosen)
    best = sorted(carrying, key=lambda row: (-row["strength"], -row["similarity"], row["item_id"]))
    items = items_table(context.workspace, context.params.shards)
    titles = {row["item_id"]: row["title"] or "" for row in items.rows(["item_id", "title"])}
    best = [row for row in best if row["item_id"] in titles][:k]
    clean = masker(context)
    passages = nearest_passages(
        context, inputs.fingerprint, [row["item_id"] for row in best], taxonomy, place
    )
    nothing = {"passage": None, "start_s": None, "end_s": None}
    return {
        "tag_id": chosen.tag_id,
        "name": chosen.name,
        "origin": chosen.origin,
        "also": [taxonomy.tags[other].tag_id for other in others],
        "taxonomy": {"version": taxonomy.version, "digest": taxonomy.digest},
        "encoder": {key: inputs.encoder.get(key) for key in ("name", "fingerprint")},
        "n_items": len(carrying),
        "items": [
            {
                "rank": rank,
                "item_id": row["item_id"],
                "title": clean(titles[row["item_id"]]) or row["item_id"],
                "strength": row["strength"],
                "similarity": row["similarity"],
                "is_label": row["is_label"],
                **passages.get(row["item_id"], nothing),
            }
            for rank, row in enumerate(best, start=1)
        ],
    }


def find_tags(taxonomy: Taxonomy, words: str) -> list[int]:
    """Places of the tag with an id, or of those with a name, in capitals or not.

    An id goes before a name. Of several tags of one name, what the dataset itself says comes first.

    Raises:
        ParamsError: There is none; the names nearest to it are told.
    """
    wanted = " ".join(words.split()).casefold()
    ids = [tag.tag_id.casefold() for tag in taxonomy.tags]
    if wanted in ids:
        return [ids.index(wanted)]
    names = [tag.name.casefold() for tag in taxonomy.tags]
    found = [place for place, name in enumerate(names) if name == wanted]
    if found:
        return sorted(found, key=lambda place: _FIRST.index(taxonomy.tags[place].origin))
    said = [place for place, tag in enumerate(taxonomy.tags) if wanted in _words(tag)]
    near = difflib.get_close_matches(wanted, names + ids, n=_NEAR, cutoff=_ALIKE)
    places = dict.fromkeys(said + [(names + ids).index(each) % len(names) for each in near])
    hint = ", ".join(
        f"{taxonomy.tags[p].name} ({taxonomy.tags[p].tag_id})" for p in list(places)[:_NEAR]
    )
    raise ParamsError(
        f"match: expected a tag of taxonomy version {taxonomy.version}, "
        f"got {words.encode('utf-8', 'replace').decode()!r}",
        hint=f"Near it: {hint}" if hint else "See its tags with `plmrec taxonomy show`",
    )


def _words(tag: Tag) -> set[str]:
    """The words that say what a tag means."""
    return {word.casefold() for word in tag.words}


def nearest_passages(
    context: Context, fingerprint: str, item_ids: Sequence[str], taxonomy: Taxonomy, place: int
) -> dict[str, dict[str, Any]]:
    """Of each item the passage nearest to a tag: ``passage start_s end_s``.

    The first passage of an item is its title and labels; it is given only where there is no other.
    """
    table = passages_table(context.workspace, context.params.shards, fingerprint)
    columns = ["item_id", "passage_no", "text", "start_s", "end_s", "vector"]
    best: dict[str, tuple[tuple[bool, float], dict[str, Any]]] = {}
    for number in sorted({shard_of(item_id, table.n_shards) for item_id in item_ids}):
        rows = table.read(table.shards[number], columns)
        rows = rows.filter(pc.is_in(rows.column("item_id"), value_set=pa.array(item_ids)))
        for row in rows.to_pylist():
            near = _cosine(row["vector"], taxonomy.mean, taxonomy.vectors[place])
            standing = (row["passage_no"] > 0, near)
            if row["item_id"] not in best or standing > best[row["item_id"]][0]:
                where = {"passage": row["text"], "start_s": row["start_s"], "end_s": row["end_s"]}
                best[row["item_id"]] = (standing, where)
    return {item_id: where for item_id, (_, where) in best.items()}


def _carrying(meanings: ShardedTable, tag: Tag) -> list[dict[str, Any]]:
    """``item_id strength similarity is_label`` of the items that carry a tag."""
    found = []
    for shard in meanings.shards:
        rows = meanings.read(shard, ["item_id", "tags"]).combine_chunks()
        owners = rows.column("item_id").take(pc.list_parent_indices(rows.column("tags")))
        tags = pc.list_flatten(rows.column("tags")).combine_chunks()
        chosen = pc.equal(pc.struct_field(tags, "tag_id"), tag.tag_id)
        pairs = zip(owners.filter(chosen).to_pylist(), tags.filter(chosen), strict=True)
        found += [{"item_id": item_id, **carried.as_py()} for item_id, carried in pairs]
    return found


def _cosine(vector: Sequence[float] | None, mean: FloatMatrix, tag: FloatMatrix) -> float:
    """Cosine of a passage with a tag in the centred space; -1 for one without a vector."""
    if not vector:
        return -1.0
    moved = np.asarray(vector, dtype=np.float32) - mean
    return float(moved @ tag / max(float(np.linalg.norm(moved)), _SMALL))
