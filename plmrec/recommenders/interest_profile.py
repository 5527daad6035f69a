"""Interest profile: a user is the weighted sum of the vectors of the tags of their interests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from plmrec.errors import PermanentError, ShapeError
from plmrec.histories import Catalogue, Floats, Histories, Ints, TrainingData
from plmrec.params import Section
from plmrec.recommenders._centred_texts import CentredTexts, unit_rows
from plmrec.recommenders._item_to_item import empty_matrix, strongest
from plmrec.recommenders._weights import recency_weights
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State, moved_places
from plmrec.types import FloatMatrix

_FLOOR: Final = -1.0  # the lowest cosine there is
_TOP_TAGS: Final = 3  # tags whose items are named as reasons


class Options(Section):
    """Options of this backend."""

    tags: Literal["auto", "genres", "clusters"] = Field(
        default="auto",
        description="what is a tag: genres where there are any (auto), or clusters of the texts",
    )
    decay_items: float | None = Field(
        default=5.0,
        gt=0,
        description="items after which an older one weighs 1/e in the profile; null: all alike",
    )
    dislike_weight: float = Field(
        default=0.2, ge=0, description="weight of a disliked or skipped item, against a liked one"
    )
    threshold: float = Field(
        default=0.0,
        ge=-1,
        le=1,
        description="cosine of user and item below which an item stands lowest",
    )
    clusters: int = Field(default=64, ge=1, description="tags made of a catalogue's texts, at most")
    seed: int = Field(default=7, ge=0, description="seed of the clusters")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tags:
    """The tags of a catalogue, and which item carries which.

    Attributes:
        names: Genres, or ``cluster 0`` and so on; n_tags.
        vectors: float32 (n_tags, d), unit mean of the centred vectors of a tag's items.
        carried: float32 CSR (n_items, n_tags), ``1 / tags of the item``; empty rows without any.
    """

    names: tuple[str, ...]
    vectors: FloatMatrix
    carried: sp.csr_matrix


@dataclass(slots=True, kw_only=True, eq=False)
class InterestProfile:
    """Cosine of an item's vector with ``u = Σ interest in tag x vector of tag``.

    Attributes:
        options: See Options.
        texts: The catalogue's centred vectors; None before ``fit``.
        tags: Its tags; None before ``fit``.
    """

    options: Options
    texts: CentredTexts | None = None
    tags: Tags | None = None

    def fit(self, data: TrainingData) -> None:
        """Give every tag its vector; nothing is learnt from histories. See Recommender.fit."""
        catalogue = data.catalogue
        self.texts = CentredTexts.of(catalogue)
        rows = self.texts.rows
        wanted = self.options.tags
        if wanted == "genres" or (wanted == "auto" and any(catalogue.genres)):
            names = tuple(sorted({name for each in catalogue.genres for name in each}))
            carried = _carried_genres(catalogue.genres, names)
        else:
            carried = _clustered(rows, self.options.clusters, self.options.seed)
            names = tuple(f"cluster {n}" for n in range(carried.shape[1]))
        vectors = unit_rows((carried > 0).astype(np.float32).T @ rows)
        self.tags = Tags(names=names, vectors=vectors, carried=carried)

    def profile(self, histories: Histories) -> Floats:
        """Each user's interest in each tag.

        The share of the history that carries the tag, by recency, weight and feedback: what was
        disliked or skipped counts against its tags, ``dislike_weight`` times.

        Returns:
            float64 (n_users, n_tags), in [-1, 1]; the absolute values of a row add up to at most 1.
        """
        tags = self._fitted(histories)[1]
        spread = histories.matrix(self._shares(histories))
        return np.asarray((spread @ tags.carried).todense(), dtype=np.float64)

    def score(self, histories: Histories) -> FloatMatrix:
        """Cosines from the threshold on, and -1 below it; 0 for users without interests."""
        texts, tags = self._fitted(histories)
        users = unit_rows(self.profile(histories) @ tags.vectors)
        scores = np.asarray(users @ texts.rows.T, dtype=np.float32)
        has_interests = np.linalg.norm(users, axis=1) > 0
        low = (scores < self.options.threshold) & has_interests[:, None]
        scores[low] = _FLOOR
        return scores

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """Name the user's items of the tags that speak most for it; see Recommender.explain."""
        texts, tags = self._fitted(history)
        value = float(self.score(history)[0, item])
        interests = self.profile(history)[0]
        length = max(float(np.linalg.norm(interests @ tags.vectors)), 1e-6)
        said = tags.vectors @ texts.rows[item] / length  # by one unit of interest in each tag
        best = np.argsort(-interests * said, kind="stable")[:_TOP_TAGS]
        best = best[interests[best] * said[best] > 0]
        added = self._shares(history) * (tags.carried[history.items][:, best] @ said[best])
        items = strongest(history.items, added, history)
        return (Contribution(part="interest_profile", value=value, items=items),)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue; new items carry their genres, or the nearest tag."""
        texts, tags = self._known()
        moved = texts.over(old, new)
        places = moved_places(old, new)
        stay = np.flatnonzero(places >= 0)
        kept = _one_each(places[stay], stay, (new.n_items, old.n_items)) @ tags.carried
        fresh = np.setdiff1d(np.arange(new.n_items), places)
        chosen = _one_each(fresh, fresh, (new.n_items, new.n_items))
        told = chosen @ _carried_genres(new.genres or ((),) * new.n_items, tags.names)
        untold = fresh[(np.diff(told.indptr)[fresh] == 0) & moved.rows[fresh].any(axis=1)]
        if not tags.names:
            untold = untold[:0]
        nearest = (moved.rows[untold] @ tags.vectors.T).argmax(axis=1) if len(untold) else untold
        carried = kept + told + _one_each(untold, nearest, told.shape)
        return replace(self, texts=moved, tags=replace(tags, carried=carried.tocsr()))

    def state(self) -> State:
        """See Recommender.state."""
        texts, tags = self._known()
        arrays: Arrays = {
            "mean": texts.mean,
            "rows": texts.rows,
            "tags": tags.vectors,
            "carried.data": tags.carried.data,
            "carried.indices": tags.carried.indices.astype(np.int32),
            "carried.indptr": tags.carried.indptr.astype(np.int64),
        }
        return arrays, {"names": list(tags.names)}

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.texts = CentredTexts(mean=arrays["mean"], rows=arrays["rows"])
        names = tuple(values["names"])
        entries = tuple(arrays[f"carried.{key}"] for key in ("data", "indices", "indptr"))
        carried = sp.csr_matrix(entries, shape=(len(self.texts.rows), len(names)))
        self.tags = Tags(names=names, vectors=arrays["tags"], carried=carried)

    def _known(self) -> tuple[CentredTexts, Tags]:
        """Texts and tags.

        Raises:
            PermanentError: ``fit`` was not called.
        """
        if self.texts is None or self.tags is None:
            raise PermanentError("interest_profile: expected a fitted recommender", hint="Call fit")
        return self.texts, self.tags

    def _fitted(self, histories: Histories) -> tuple[CentredTexts, Tags]:
        """Texts and tags, after a look at whether the histories are over them."""
        texts, tags = self._known()
        if histories.n_items != len(texts.rows):
            raise ShapeError(
                f"interest_profile: expected histories over {len(texts.rows)} items, got "
                f"{histories.n_items}"
            )
        return texts, tags

    def _shares(self, histories: Histories) -> Floats:
        """Signed share of each entry in its user's profile, float64 (n,)."""
        weights = np.clip(histories.weights, -1.0, 1.0)
        weights = np.where(weights < 0, self.options.dislike_weight * weights, weights)
        weights = weights * recency_weights(histories, self.options.decay_items)
        total = np.bincount(histories.users, np.abs(weights), histories.n_users)
        return np.asarray(weights / np.maximum(total[histories.users], 1e-12))


def _carried_genres(genres: tuple[tuple[str, ...], ...], names: tuple[str, ...]) -> sp.csr_matrix:
    """``1 / genres of the item`` for each known genre of each item, CSR (n_items, n_names)."""
    column = {name: place for place, name in enumerate(names)}
    found = [sorted({column[name] for name in each if name in column}) for each in genres]
    rows = np.repeat(np.arange(len(found)), [len(each) for each in found])
    columns = np.array([place for each in found for place in each], dtype=np.int64)
    values = np.array([1.0 / len(each) for each in found for _ in each], dtype=np.float32)
    return sp.csr_matrix((values, (rows, columns)), shape=(len(genres), len(names)))


def _clustered(rows: FloatMatrix, n_clusters: int, seed: int) -> sp.csr_matrix:
    """The cluster of each item with a text, 1 each, CSR (n_items, <= n_clusters)."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    there = np.flatnonzero(rows.any(axis=1))
    n = min(n_clusters, len(np.unique(rows[there], axis=0)))
    if n == 0:
        return empty_matrix(len(rows), 0)
    with threadpool_limits(1):  # threads add up in any order: the clusters would differ
        labels = KMeans(n, n_init=1, random_state=seed).fit_predict(rows[there])
    return _one_each(there, labels, (len(rows), n))


def _one_each(rows: Ints, columns: Ints, shape: tuple[int, int]) -> sp.csr_matrix:
    """A CSR matrix with a 1 at each of some places."""
    return sp.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)


def build(options: Options) -> InterestProfile:
    """Build the recommender; called by plmrec.backends."""
    return InterestProfile(options=options)
