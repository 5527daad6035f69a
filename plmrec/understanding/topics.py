"""Topics of a corpus: clusters with readable labels, whose ids stay from one build to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from plmrec.digests import digest_json
from plmrec.errors import ShapeError
from plmrec.types import FloatMatrix
from plmrec.understanding.corpus import CorpusWords
from plmrec.understanding.taxonomy import centre, corpus_mean
from plmrec.understanding.words import content_words, plain

VERSION: Final = 1  # raise it when the same inputs give other topics

_LABEL_WORDS: Final = 3
_SAME: Final = 0.5  # cosine of two centroids from which they are one topic
_FAR: Final = 0.02  # share of a corpus that is farther from its topic than an item may be


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Topics:
    """One version of the topics, with the vectors of one encoder; never changed.

    Attributes:
        version: 1, 2, 3 and so on within a workspace.
        digest: Identity of everything below.
        fingerprint: Of the encoder of the vectors.
        ids: n_topics ids such as ``topic-7``, which a topic keeps in later versions.
        labels: n_topics labels for people: the words that tell a topic from the others.
        centroids: float32 (n_topics, d), unit rows, of the centred space.
        mean: float32 (d,), taken off a vector before it is compared with a centroid.
        floor: Cosine below which an item is near no topic.
        next_id: Number that no topic had yet.
        corpus: How common words were in the corpus that the topics were found in.

    Raises:
        ShapeError: A column does not have one row per topic.
    """

    version: int
    digest: str
    fingerprint: str
    ids: tuple[str, ...]
    labels: tuple[str, ...]
    centroids: FloatMatrix
    mean: FloatMatrix
    floor: float
    next_id: int
    corpus: CorpusWords

    def __post_init__(self) -> None:
        for column in (self.labels, self.centroids):
            if len(column) != len(self.ids):
                raise ShapeError(f"topics: expected {len(self.ids)} rows, got {len(column)}")


class TopicOfItem(NamedTuple):
    """The topic an item is nearest to, and the cosine."""

    topic_id: str
    label: str
    score: float


def find_topics(  # noqa: PLR0913
    texts: Sequence[str],
    vectors: FloatMatrix,
    *,
    version: int,
    fingerprint: str,
    corpus: CorpusWords,
    max_topics: int,
    seed: int,
    before: Topics | None = None,
) -> Topics:
    """Cluster a corpus with k-means; there are about the root of its size of topics.

    Args:
        texts: Of n items.
        vectors: float32 (n, d), unit rows.
        version: Of the result.
        fingerprint: Of the encoder.
        corpus: Kept with the topics.
        max_topics: Most topics.
        seed: Of the first centroids.
        before: The version before; topics near one of its keep that one's id.
    """
    mean = corpus_mean(vectors)
    items = centre(vectors, mean)
    members, centroids = _cluster(items, max_topics=max_topics, seed=seed)
    labels = _labels(texts, members, len(centroids))
    ids, next_id = _ids(centroids, fingerprint, before)
    scores = np.einsum("ij,ij->i", items, centroids[members]) if len(items) else np.zeros(1)
    floor = float(np.quantile(scores, _FAR)) if len(centroids) > 1 else -1.0
    numbers = [np.round(column, 3).tolist() for column in (centroids, mean)]
    return Topics(
        version=version,
        digest=digest_json([VERSION, fingerprint, ids, labels, numbers]),
        fingerprint=fingerprint,
        ids=tuple(ids),
        labels=tuple(labels),
        centroids=centroids,
        mean=mean,
        floor=round(floor, 4),
        next_id=next_id,
        corpus=corpus,
    )


def assign_topics(topics: Topics, vectors: FloatMatrix) -> list[TopicOfItem | None]:
    """Find the nearest topic of each item; None for an item that is near none.

    Args:
        topics: The topics.
        vectors: float32 (n, d), unit rows.
    """
    if not topics.ids:
        return [None] * len(vectors)
    cosines = centre(vectors, topics.mean) @ topics.centroids.T
    best = cosines.argmax(axis=1)
    found: list[TopicOfItem | None] = []
    for row, place in enumerate(best.tolist()):
        score = round(float(cosines[row, place]), 4)
        near = score >= topics.floor
        found.append(TopicOfItem(topics.ids[place], topics.labels[place], score) if near else None)
    return found


def _cluster(
    items: FloatMatrix, *, max_topics: int, seed: int
) -> tuple[npt.NDArray[np.int64], FloatMatrix]:
    """Topic of each item, and the topics' unit centroids, the largest topic first."""
    n_topics = min(max_topics, max(round(len(items) ** 0.5), 1), len(np.unique(items, axis=0)))
    if not len(items):
        return np.zeros(0, np.int64), np.zeros((0, items.shape[1]), np.float32)
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # sums of many threads differ in their last bits
        fitted = KMeans(n_clusters=n_topics, n_init=4, random_state=seed).fit(items)
    sizes = np.bincount(fitted.labels_, minlength=n_topics)
    order = np.argsort(-sizes, kind="stable")
    place = np.empty(n_topics, dtype=np.int64)
    place[order] = np.arange(n_topics)
    centroids = fitted.cluster_centers_[order]
    lengths = np.linalg.norm(centroids, axis=1, keepdims=True)
    return place[fitted.labels_], np.asarray(centroids / np.maximum(lengths, 1e-9), np.float32)


def _labels(texts: Sequence[str], members: npt.NDArray[np.int64], n_topics: int) -> list[str]:
    """The words with the largest class-based tf-idf of each topic.

    Source:
        Grootendorst 2022, "BERTopic: neural topic modeling with a class-based TF-IDF procedure".
    """
    counts: list[Counter[str]] = [Counter() for _ in range(n_topics)]
    for text, topic in zip(texts, members.tolist(), strict=True):
        counts[topic].update(set(content_words(plain(text))))
    total: Counter[str] = Counter()
    for some in counts:
        total.update(some)
    mean_size = sum(total.values()) / max(n_topics, 1)
    labels = []
    for topic, some in enumerate(counts):
        size = max(sum(some.values()), 1)
        worth = {
            word: count / size * float(np.log1p(mean_size / total[word]))
            for word, count in some.items()
        }
        best = sorted(worth, key=lambda word: (-worth[word], word))[:_LABEL_WORDS]
        labels.append(", ".join(best) or f"topic {topic + 1}")
    return labels


def _ids(centroids: FloatMatrix, fingerprint: str, before: Topics | None) -> tuple[list[str], int]:
    """Ids: of the nearest topic before, each given once (Hungarian method), or new ones."""
    from scipy.optimize import linear_sum_assignment

    ids: list[str] = [""] * len(centroids)
    next_id = before.next_id if before else 1
    if before and before.fingerprint == fingerprint and before.ids:
        likeness = centroids @ before.centroids.T
        for new, old in zip(*linear_sum_assignment(-likeness), strict=True):
            if likeness[new, old] >= _SAME:
                ids[new] = before.ids[old]
    for place, topic_id in enumerate(ids):
        if not topic_id:
            ids[place] = f"topic-{next_id}"
            next_id += 1
    return ids, next_id
