"""A workspace as the stages up to embed leave it, small enough to check interests by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from plmrec.digests import shard_of
from plmrec.stores import tables
from plmrec.stores.taxonomies import save_taxonomy
from plmrec.stores.workspace import ShardedTable, Workspace
from plmrec.tags import Tag, Taxonomy

N_SHARDS = 4  # the default of params.yaml
FINGERPRINT = "f1d0" * 8
DAY = "2026-01-{:02d}T12:00:00+00:00"

TAGS = (
    Tag(tag_id="genre:whales", name="Whales", origin="genre"),
    Tag(tag_id="curated:baking", name="Baking", origin="curated", words=("bread",)),
    Tag(tag_id="mined:chess", name="Chess openings", origin="mined"),
    Tag(tag_id="creator:chess", name="Baking", origin="creator"),
)
# unit vectors whose mean is zero, so that the centred space is the space itself
_PLACES = {"sea": [1, 0], "song": [0.8, 0.6], "loaf": [0, 1], "pawn": [-1, 0], "rook": [0, -1]}
_CARRIED: dict[str, list[tuple[str, float]]] = {
    "sea": [("genre:whales", 0.9)],
    "song": [("genre:whales", 0.6), ("curated:baking", 0.2)],
    "loaf": [("curated:baking", 0.8)],
    "pawn": [("mined:chess", 0.7)],
    "rook": [],
}
_EVENTS: list[tuple[str, str, str, float | None, str | None, int]] = [
    ("ann", "sea", "rating", 5.0, None, 1),
    ("ann", "loaf", "view", 30.0, None, 2),
    ("ann", "loaf", "like", None, None, 3),
    ("ann", "pawn", "dislike", None, None, 4),
    ("ann", "rook", "impression", None, None, 5),
    ("bob", "pawn", "comment", None, "I love this, wonderful and brilliant!", 1),
    ("bob", "sea", "comment", None, "Horrible, boring, the worst waste of time", 2),
    ("bob", "loaf", "comment", None, "Part two, ann@example.org", 3),
    ("eve", "sea", "impression", None, None, 1),
    ("joe", "sea", "like", None, None, 1),
    ("joe", "song", "like", None, None, 2),
]


def taxonomy(version: int = 1, fingerprint: str = FINGERPRINT) -> Taxonomy:
    """Three tags in the plane, and one that shares its name with another."""
    return Taxonomy(
        version=version,
        digest=f"7a90{version}",
        fingerprint=fingerprint,
        tags=TAGS,
        vectors=np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=np.float32),
        mean=np.zeros(2, dtype=np.float32),
        offsets=np.full(4, 0.5, dtype=np.float32),
        scales=np.full(4, 0.1, dtype=np.float32),
    )


def write_tagged(url: str, *, with_tags: bool = True) -> Workspace:
    """Write five items, what some users did, and with tags a taxonomy and the meanings."""
    workspace = Workspace(url)
    items = [
        {"item_id": item_id, "kind": "video", "title": item_id.title(), "genres": ["nature"]}
        for item_id in _PLACES
    ]
    vectors = [{"item_id": item_id, "vector": place} for item_id, place in _PLACES.items()]
    fill(tables.items_table(workspace, N_SHARDS), items)
    fill(tables.item_vectors_table(workspace, N_SHARDS, FINGERPRINT), vectors)
    fill(tables.passages_table(workspace, N_SHARDS, FINGERPRINT), _passages())
    fill(tables.interactions_table(workspace, N_SHARDS), _interactions())
    workspace.write_json(
        {"digest": "da7a", "source": "test", "counts": {"interactions": len(_EVENTS)}},
        *("dataset", "manifest.json"),
    )
    current = {"fingerprint": FINGERPRINT, "name": "test", "dim": 2, "digest": "x"}
    workspace.write_json(current, "embeddings", "current.json")
    if with_tags:
        save_taxonomy(workspace, taxonomy())
        fill(tables.meanings_table(workspace, N_SHARDS, FINGERPRINT), meanings())
    return workspace


def meanings(version: int = 1) -> list[dict[str, Any]]:
    """One row per item, with its tags."""
    found = []
    for item_id, carried in _CARRIED.items():
        tags = [
            {"tag_id": tag, "strength": strength, "similarity": strength - 0.1, "is_label": False}
            for tag, strength in carried
        ]
        found.append({"item_id": item_id, "tags": tags, "taxonomy_version": version})
    return found


def fill(table: ShardedTable, rows: list[dict[str, Any]]) -> None:
    """Write rows into the shards of their keys; columns they lack are null."""
    full = [dict.fromkeys(table.schema.names) | row for row in rows]
    for number, shard in enumerate(table.shards):
        table.write(shard, [r for r in full if shard_of(r[table.key], table.n_shards) == number])


def _passages() -> list[dict[str, Any]]:
    """A title each; ``sea`` is also spoken, first of bread, then of whales."""
    titles = [
        {"item_id": item_id, "passage_no": 0, "text": item_id.title(), "vector": place}
        for item_id, place in _PLACES.items()
    ]
    spoken = [
        {"item_id": "sea", "passage_no": 1, "text": "bread", "start_s": 0.0, "vector": [0.0, 1.0]},
        {"item_id": "sea", "passage_no": 2, "text": "song", "start_s": 72.0, "vector": [0.9, 0.1]},
    ]
    return titles + [{**row, "end_s": row["start_s"] + 9} for row in spoken]


def _interactions() -> list[dict[str, Any]]:
    return [
        {
            "user_id": user,
            "item_id": item,
            "event": event,
            "value": value,
            "text": text,
            "timestamp": datetime.fromisoformat(DAY.format(day)),
        }
        for user, item, event, value, text, day in _EVENTS
    ]
