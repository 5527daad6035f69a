"""A workspace as the stages before refresh leave it: clustered vectors, or those of an encoder."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from plmrec.digests import digest_json, shard_of
from plmrec.params import IndexParams
from plmrec.stages.index_rows import open_sources
from plmrec.stages.refresh import refresh_index
from plmrec.stores import tables
from plmrec.stores.database import Pool
from plmrec.stores.releases import Release, ReleaseStore
from plmrec.stores.workspace import Workspace
from plmrec.types import FloatMatrix

FINGERPRINT = "f1d0" * 8
GENRES = ("whales", "bread", "chess", "glass")

Encode = Callable[[list[str]], FloatMatrix]


def unit(matrix: FloatMatrix) -> FloatMatrix:
    """Scale rows to length one."""
    return np.asarray(matrix / np.linalg.norm(matrix, axis=1, keepdims=True), dtype=np.float32)


def clustered(n: int, dim: int, *, seed: int, n_clusters: int = 20) -> FloatMatrix:
    """Unit vectors around random centres, as those of texts about several topics are."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.standard_normal((n_clusters, dim)))
    noise = 0.7 * unit(rng.standard_normal((n, dim)))
    return unit(centres[rng.integers(n_clusters, size=n)] + noise)


class Embedded:
    """Rows of the tables that refresh reads; change them, then ``write`` again.

    Args:
        url: Of the workspace.
        n_items: Ids are ``i0``, ``i1`` and so on; each has one to three passages.
        dim: Width of the vectors.
        n_shards: Of every table.
        seed: Of the vectors.
        encode: Encoder of passage texts; clustered vectors when there is none.
        fingerprint: Of the encoder.
    """

    def __init__(
        self,
        url: str,
        *,
        n_items: int = 60,
        dim: int = 32,
        n_shards: int = 2,
        seed: int = 0,
        encode: Encode | None = None,
        fingerprint: str = FINGERPRINT,
    ) -> None:
        self.workspace = Workspace(url)
        self.n_shards, self.dim, self.fingerprint = n_shards, dim, fingerprint
        vectors = clustered(n_items, dim, seed=seed)
        rng = np.random.default_rng(seed + 1)
        self.items = [_item(number) for number in range(n_items)]
        self.vectors: list[dict] = []
        self.passages: list[dict] = []
        for number in range(n_items):
            own = [_passage(number, place) for place in range(1 + number % 3)]
            if encode is None:
                noise = 0.4 * unit(rng.standard_normal((len(own), dim)))
                encoded = unit(vectors[number] + noise)
            else:
                encoded = encode([passage["text"] for passage in own])
            for passage, vector in zip(own, encoded, strict=True):
                passage["vector"] = vector.tolist()
            mean = unit(encoded.mean(axis=0, keepdims=True))[0]
            self.vectors.append(_vector(number, len(own), mean.tolist(), fingerprint))
            self.passages += own

    def write(self) -> None:
        """Write all tables, ``current.json`` and the manifest."""
        space, n = self.workspace, self.n_shards
        transcripts = [_transcript(item["item_id"]) for item in self.items]
        documents = [_document(item["item_id"]) for item in self.items]
        for table, rows in (
            (tables.items_table(space, n), self.items),
            (tables.transcripts_table(space, n), transcripts),
            (tables.documents_table(space, n), documents),
            (tables.item_vectors_table(space, n, self.fingerprint), self.vectors),
            (tables.passages_table(space, n, self.fingerprint), self.passages),
        ):
            for number, shard in enumerate(table.shards):
                mine = [row for row in rows if shard_of(row["item_id"], n) == number]
                for row in mine:
                    row["digest"] = digest_json({k: v for k, v in row.items() if k != "digest"})
                table.write(shard, [dict.fromkeys(table.schema.names) | row for row in mine])
        current = {"fingerprint": self.fingerprint, "name": "test", "dim": self.dim, "digest": "x"}
        space.write_json(current, "embeddings", "current.json")
        space.write_json({"digest": "da7a.dir", "source": "test"}, "dataset", "manifest.json")

    def reword(self, number: int) -> None:
        """Change an item so that its generation has other inputs."""
        self.items[number]["title"] += "!"


def crown(pool: Pool, version: int, *, fingerprint: str = FINGERPRINT) -> Release:
    """Add a release and make it champion."""
    store = ReleaseStore(pool)
    store.add(
        Release(
            version=version,
            dataset_digest="da7a.dir",
            encoder_fingerprint=fingerprint,
            recommender_digest=f"rec-{version}",
            input_digest=f"in-{version}",
            mlflow_run_id=f"run-{version}",
        )
    )
    store.crown(version, {"verdict": "promote"})
    return store.get(version)


def refresh(
    pool: Pool,
    embedded: Embedded,
    *,
    index: IndexParams | None = None,
    release: Release | None = None,
) -> dict:
    """Refresh the index for a release, the champion by default; the stage's report."""
    release = release or ReleaseStore(pool).in_state("champion")
    sources = open_sources(
        embedded.workspace,
        n_shards=embedded.n_shards,
        fingerprint=release.encoder_fingerprint,
        dataset_digest="da7a.dir",
    )
    report = refresh_index(
        pool=pool, release=release, sources=sources, index=index or IndexParams(), seed=7
    )
    return report.as_dict()


def refresh_changed(pool: Pool, embedded: Embedded, **options) -> dict:
    """Refresh once an item was changed."""
    embedded.reword(0)
    embedded.write()
    return refresh(pool, embedded, **options)


def _item(number: int) -> dict:
    return {
        "item_id": f"i{number}",
        "kind": "video",
        "title": f"Title {number}",
        "genres": [GENRES[number % 4]],
        "creators": [f"creator {number % 7}"],
        "media": f"i{number}.wav",
        "media_digest": f"media-{number}",
    }


def _passage(number: int, place: int) -> dict:
    is_spoken = number % 2 == 0
    return {
        "item_id": f"i{number}",
        "passage_no": place,
        "text": f"{GENRES[number % 4]} words{number} part{place}",
        "start_s": 10.0 * place if is_spoken else None,
        "end_s": 10.0 * place + 9.5 if is_spoken else None,
    }


def _vector(number: int, n_passages: int, vector: list[float], fingerprint: str) -> dict:
    return {
        "item_id": f"i{number}",
        "fingerprint": fingerprint,
        "n_passages": n_passages,
        "vector": vector,
        "document_digest": digest_json(_document(f"i{number}")),
        "input_digest": "in",
    }


def _transcript(item_id: str) -> dict:
    segment = {"start_s": 0.0, "end_s": 9.5, "text": "words", "confidence": 0.9}
    return {
        "item_id": item_id,
        "status": "speech",
        "backend": "scripted 1",
        "segments": [segment, segment],
        "input_digest": "in",
    }


def _document(item_id: str) -> dict:
    return {"item_id": item_id, "text": f"about {item_id}", "n_chars": 8, "input_digest": "in"}
