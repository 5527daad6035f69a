"""What understanding compares items with: tags and topics of the corpus, a version at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from plmrec.digests import digest_json, shard_of
from plmrec.params import TaxonomyParams, TopicParams, UnderstandingParams
from plmrec.stages.content_vectors import read_contents
from plmrec.stores import tables
from plmrec.stores.taxonomies import (
    load_taxonomy,
    save_taxonomy,
    taxonomy_recipe,
    taxonomy_versions,
)
from plmrec.stores.versions import Versions
from plmrec.stores.workspace import ShardedTable, Workspace
from plmrec.tags import Taxonomy
from plmrec.types import FloatMatrix
from plmrec.understanding import tag_lists, taxonomy, topics
from plmrec.understanding.base import Encode
from plmrec.understanding.corpus import CorpusWords, count_words

log = logging.getLogger(__name__)

_MOST_ITEMS: Final = 50_000  # of a larger corpus, about so many are looked at
_DRAWS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corpus:
    """The items that tags and topics are found in: n rows of each column."""

    n_items: int
    texts: list[str]
    genres: list[list[str]]
    creators: list[list[str]]
    vectors: FloatMatrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The tables that the corpus is read from, of one encoder."""

    workspace: Workspace
    items: ShardedTable
    documents: ShardedTable
    passages: ShardedTable
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """What tags and topics are made after.

    Attributes:
        params: Of understanding.
        seed: Of random choices.
        encode: Of the encoder with the tables' fingerprint.
        anew: Whether to look at the corpus even where a version fits.
    """

    params: UnderstandingParams
    seed: int
    encode: Encode
    anew: bool = False


def open_sources(workspace: Workspace, *, n_shards: int, fingerprint: str) -> Sources:
    """Open the tables of one encoder."""
    return Sources(
        workspace=workspace,
        items=tables.items_table(workspace, n_shards),
        documents=tables.documents_table(workspace, n_shards),
        passages=tables.passages_table(workspace, n_shards, fingerprint),
        fingerprint=fingerprint,
    )


def body(text: str) -> str:
    """What is written and said, of a document's text; of one with facts alone, the facts."""
    head, _, rest = text.partition("\n\n")
    return rest or head


def prepare(sources: Sources, asked: Asked) -> tuple[Taxonomy, topics.Topics]:
    """Find the versions of taxonomy and topics to go on with; make new ones where none fits.

    A version fits when it was made with this encoder and these parameters: new items alone change
    no tag. Topics are also found anew when the corpus has grown by ``topics.growth``. A new
    version of the taxonomy that would say what the newest says is not written.
    """
    curated, list_digest = tag_lists.curated_tags(asked.params.taxonomy.curated)
    recipe = _taxonomy_recipe(asked.params.taxonomy, list_digest, sources.fingerprint)
    tags = None if asked.anew else _fitting_taxonomy(sources.workspace, recipe)
    found = None if asked.anew else _fitting_topics(sources, asked)
    if tags is not None and found is not None:
        return tags, found
    corpus = _read_corpus(sources)
    if found is None:
        found = _new_topics(sources, asked, corpus)
    if tags is None:
        tags = _new_taxonomy(sources, asked, corpus, curated=curated, recipe=recipe)
    return tags, found


def current_topics(workspace: Workspace, version: int | None = None) -> topics.Topics:
    """Read a version of the topics, the newest when None.

    Raises:
        MissingStageError: There is none.
    """
    described, arrays = _topics(workspace).load(version)
    words = described["corpus"]
    return topics.Topics(
        version=described["version"],
        digest=described["digest"],
        fingerprint=described["fingerprint"],
        ids=tuple(described["ids"]),
        labels=tuple(described["labels"]),
        centroids=arrays["centroids"],
        mean=arrays["mean"],
        floor=described["floor"],
        next_id=described["next_id"],
        corpus=CorpusWords(n_documents=words["n_documents"], counts=words["counts"]),
    )


def _topics(workspace: Workspace) -> Versions:
    return Versions(workspace, "topics")


def _taxonomy_recipe(params: TaxonomyParams, list_digest: str, fingerprint: str) -> str:
    asked = params.model_dump(exclude={"curated", "min_strength", "max_tags"})
    return digest_json([taxonomy.VERSION, fingerprint, asked, list_digest])


def _fitting_taxonomy(workspace: Workspace, recipe: str) -> Taxonomy | None:
    versions = taxonomy_versions(workspace)
    if versions and taxonomy_recipe(workspace, versions[-1]) == recipe:
        return load_taxonomy(workspace, versions[-1])
    return None


def _topics_recipe(params: TopicParams, seed: int, fingerprint: str) -> str:
    return digest_json([topics.VERSION, fingerprint, params.max_topics, seed])


def _fitting_topics(sources: Sources, asked: Asked) -> topics.Topics | None:
    if not _topics(sources.workspace).all():
        return None
    described = _topics(sources.workspace).describe()
    recipe = _topics_recipe(asked.params.topics, asked.seed, sources.fingerprint)
    grown = _count_items(sources) > described["n_items"] * (1.0 + asked.params.topics.growth)
    if described["recipe"] != recipe or grown:
        return None
    return current_topics(sources.workspace)


def _new_topics(sources: Sources, asked: Asked, corpus: Corpus) -> topics.Topics:
    versions = _topics(sources.workspace).all()
    before = current_topics(sources.workspace) if versions else None
    found = topics.find_topics(
        corpus.texts,
        corpus.vectors,
        version=(versions or [0])[-1] + 1,
        fingerprint=sources.fingerprint,
        corpus=count_words(corpus.texts),
        max_topics=asked.params.topics.max_topics,
        seed=asked.seed,
        before=before,
    )
    if before is not None and before.digest == found.digest and _fitting_topics(sources, asked):
        return before
    described = {
        "digest": found.digest,
        "fingerprint": found.fingerprint,
        "ids": list(found.ids),
        "labels": list(found.labels),
        "floor": found.floor,
        "next_id": found.next_id,
        "corpus": {"n_documents": found.corpus.n_documents, "counts": dict(found.corpus.counts)},
        "recipe": _topics_recipe(asked.params.topics, asked.seed, sources.fingerprint),
        "n_items": corpus.n_items,
    }
    arrays = {"centroids": found.centroids, "mean": found.mean}
    _topics(sources.workspace).save(found.version, described, arrays)
    log.info("topics: version %d, %d topics", found.version, len(found.ids))
    return found


def _new_taxonomy(
    sources: Sources, asked: Asked, corpus: Corpus, *, curated: list[Any], recipe: str
) -> Taxonomy:
    params = asked.params.taxonomy
    genres, of_genres = tag_lists.label_tags(
        corpus.genres, "genre", min_items=params.min_label_items
    )
    creators, of_creators = tag_lists.label_tags(
        corpus.creators,
        "creator",
        min_items=params.min_label_items,
        most=params.max_creators,
    )
    centred = taxonomy.centre(corpus.vectors, taxonomy.corpus_mean(corpus.vectors))
    known = [tag.name for tag in (*curated, *genres)]
    mined, of_mined = tag_lists.mined_tags(
        corpus.texts, centred, most=params.max_mined, known=known
    )
    versions = taxonomy_versions(sources.workspace)
    made = taxonomy.build_taxonomy(
        taxonomy.TagSources(
            tags=[*curated, *genres, *creators, *mined],
            carriers={**of_genres, **of_creators, **of_mined},
            vectors=corpus.vectors,
            tail=params.tail,
        ),
        version=(versions or [0])[-1] + 1,
        fingerprint=sources.fingerprint,
        encode=asked.encode,
    )
    if versions:
        newest = load_taxonomy(sources.workspace, versions[-1])
        if newest.digest == made.digest and _fitting_taxonomy(sources.workspace, recipe):
            return newest
    save_taxonomy(sources.workspace, made, recipe=recipe)
    log.info("taxonomy: version %d, %d tags", made.version, made.n_tags)
    return made


def _read_corpus(sources: Sources) -> Corpus:
    """Read the corpus, in the order of its item ids; of a large one, a part drawn by their hash."""
    n_items = _count_items(sources)
    share = min(_MOST_ITEMS / max(n_items, 1), 1.0)
    rows = sorted(_rows(sources, share), key=lambda row: row[0])
    vectors = np.stack([row[4] for row in rows]) if rows else np.zeros((0, 1))
    return Corpus(
        n_items=n_items,
        texts=[row[1] for row in rows],
        genres=[row[2] for row in rows],
        creators=[row[3] for row in rows],
        vectors=vectors.astype(np.float32),
    )


def _count_items(sources: Sources) -> int:
    return sum(
        sources.documents.read(shard, ["item_id"]).num_rows for shard in sources.documents.shards
    )


def _rows(
    sources: Sources, share: float
) -> Iterator[tuple[str, str, list[str], list[str], FloatMatrix]]:
    for shard in sources.documents.shards:
        contents = read_contents(sources.passages, shard)
        known = dict(zip(contents.item_ids, contents.vectors, strict=True))
        labels = {
            row["item_id"]: (row["genres"] or [], row["creators"] or [])
            for row in sources.items.read(shard, ["item_id", "genres", "creators"]).to_pylist()
        }
        for row in sources.documents.read(shard, ["item_id", "text"]).to_pylist():
            item_id = row["item_id"]
            drawn = shard_of(item_id, _DRAWS) < share * _DRAWS
            if drawn and item_id in known and item_id in labels:
                yield item_id, body(row["text"]), *labels[item_id], known[item_id]
