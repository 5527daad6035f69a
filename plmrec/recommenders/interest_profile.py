"""Interest profile: a user is the weighted sum of the vectors of the tags of their interests.

``_interests.py`` has the arithmetic, with an example worked through in full.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from plmrec.errors import PermanentError, ShapeError
from plmrec.histories import Catalogue, Floats, Histories, TrainingData
from plmrec.params import Section
from plmrec.recommenders._carried_tags import Kind, Tags, choose_tags, one_each
from plmrec.recommenders._centred_texts import CentredTexts, unit_rows
from plmrec.recommenders._interests import matching, user_vector
from plmrec.recommenders._item_to_item import strongest
from plmrec.recommenders._texts import read_texts
from plmrec.recommenders._weights import recency_weights
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State, moved_places
from plmrec.types import FloatMatrix

_FLOOR: Final = -1.0  # the lowest cosine there is
_TOP_TAGS: Final = 3  # tags whose items are named as reasons


class Options(Section):
    """Options of this backend."""

    tags: Literal["auto", "taxonomy", "genres", "clusters"] = Field(
        default="auto",
        description="what is a tag: those of the taxonomy where items carry any, else genres, else "
        "clusters of the texts (auto); or one of them",
    )
    tags_per_item: int | None = Field(
        default=None,
        ge=1,
        description="only the strongest tags of an item by the taxonomy count; null: all",
    )
    rarity: float = Field(
        default=1.0,
        ge=0,
        description="power to which a taxonomy's tag counts by its rarity, log(items / items with "
        "it): 0 takes all tags alike",
    )
    vectors: Literal["taxonomy", "items"] = Field(
        default="items",
        description="vector of a taxonomy's tag: the taxonomy's own, made of what is said and "
        "written, or the mean of the items that carry it, whose titles and labels count, too",
    )
    centre: bool = Field(
        default=True,
        description="whether what the tags of a usual item add up to is taken off every tag's "
        "vector, so that a tag that lies on everything draws nowhere",
    )
    decay_items: float | None = Field(
        default=20.0,
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


@dataclass(slots=True, kw_only=True, eq=False)
class InterestProfile:
    """Cosine of an item's vector with ``u = Σ interest in tag x direction of tag``.

    Attributes:
        options: See Options.
        texts: The catalogue's centred vectors; None before ``fit``.
        tags: Its tags; None before ``fit``.
    """

    options: Options
    texts: CentredTexts | None = None
    tags: Tags | None = None

    @property
    def kind(self) -> Kind:
        """What a tag is: of the taxonomy, a genre, or a cluster of texts."""
        return self._known()[1].kind

    def fit(self, data: TrainingData) -> None:
        """Give every tag its vector; nothing is learnt from histories. See Recommender.fit."""
        catalogue, options = data.catalogue, self.options
        if _reads_taxonomy(catalogue, options.tags) and catalogue.tags is not None:
            told = catalogue.tags
            rows = read_texts(catalogue, told.mean)
            self.texts = CentredTexts(mean=told.mean, rows=rows)
            tags = Tags.of_taxonomy(told, options.tags_per_item, options.rarity)
            if options.vectors == "items":
                tags = tags.among(rows)
            self.tags = tags.centred() if options.centre else tags
            return
        self.texts = CentredTexts.of(catalogue)
        tags = choose_tags(
            catalogue.genres,
            self.texts.rows,
            kind="clusters" if options.tags == "clusters" else "genres",
            is_choice=options.tags == "auto",
            n_clusters=options.clusters,
            seed=options.seed,
        )
        self.tags = tags.centred() if options.centre else tags

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

    def behind(self, history: Histories) -> sp.csr_matrix:
        """What each entry of one user adds to each interest; the rows add up to the profile.

        Args:
            history: One row, n entries.

        Returns:
            float64 CSR (n, n_tags).
        """
        tags = self._fitted(history)[1]
        return sp.csr_matrix(sp.diags(self._shares(history)) @ tags.carried[history.items])

    def score(self, histories: Histories) -> FloatMatrix:
        """Cosines above the threshold, and -1 from it down; 0 for users without interests."""
        texts, tags = self._fitted(histories)
        users = unit_rows(user_vector(self.profile(histories), tags.directions))
        scores = np.asarray(users @ texts.rows.T, dtype=np.float32)
        has_interests = np.linalg.norm(users, axis=1) > 0
        low = (scores <= self.options.threshold) & has_interests[:, None]
        scores[low] = _FLOOR
        return scores

    def matching(self, history: Histories) -> list[tuple[int, float]]:
        """The items above the threshold, best first, with their cosines: {c : sim(u,c) > θ}.

        Args:
            history: One row.

        Returns:
            Places in the catalogue, also of items the user knows; nothing without interests.
        """
        scores = self.score(history)[0]
        return [(place, float(scores[place])) for place in matching(scores, self.options.threshold)]

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """Name the user's items of the tags that speak most for it; see Recommender.explain."""
        texts, tags = self._fitted(history)
        value = float(self.score(history)[0, item])
        interests = self.profile(history)[0]
        length = max(float(np.linalg.norm(user_vector(interests, tags.directions))), 1e-6)
        said = tags.directions @ texts.rows[item] / length  # by one unit of interest in each tag
        added = interests * said
        best = np.argsort(-added, kind="stable")[:_TOP_TAGS]
        best = best[added[best] > 0]
        by_item = self._shares(history) * (tags.carried[history.items][:, best] @ said[best])
        items = strongest(history.items, by_item, history)
        shared = tags.shared(item, np.maximum(added, 0.0) * (interests > 0))[:_TOP_TAGS]
        named = shared if tags.kind != "clusters" else []  # whose names say nothing
        names = tuple(dict.fromkeys(tags.names[place] for place in named))
        return (Contribution(part="interest_profile", value=value, items=items, tags=names),)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue; new items carry their own tags, or the nearest one."""
        texts, tags = self._known()
        moved = texts.over(old, new)
        places = moved_places(old, new)
        stay = np.flatnonzero(places >= 0)
        kept = one_each(places[stay], stay, (new.n_items, old.n_items)) @ tags.carried
        fresh = np.setdiff1d(np.arange(new.n_items), places)
        chosen = one_each(fresh, fresh, (new.n_items, new.n_items))
        told = chosen @ tags.carried_by(new, self.options.tags_per_item)
        untold = fresh[(np.diff(told.indptr)[fresh] == 0) & moved.rows[fresh].any(axis=1)]
        if not tags.names:
            untold = untold[:0]
        nearest = (moved.rows[untold] @ tags.vectors.T).argmax(axis=1) if len(untold) else untold
        carried = kept + told + one_each(untold, nearest, told.shape)
        return replace(self, texts=moved, tags=replace(tags, carried=carried.tocsr()))

    def state(self) -> State:
        """See Recommender.state."""
        texts, tags = self._known()
        arrays: Arrays = {
            "mean": texts.mean,
            "rows": texts.rows,
            "tags": tags.vectors,
            "counts": tags.counts,
            "middle": tags.middle,
            "carried.data": tags.carried.data,
            "carried.indices": tags.carried.indices.astype(np.int32),
            "carried.indptr": tags.carried.indptr.astype(np.int64),
        }
        values = {"kind": tags.kind, "names": list(tags.names), "tag_ids": list(tags.tag_ids)}
        return arrays, values

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        self.texts = CentredTexts(mean=arrays["mean"], rows=arrays["rows"])
        names = tuple(values["names"])
        entries = tuple(arrays[f"carried.{key}"] for key in ("data", "indices", "indptr"))
        carried = sp.csr_matrix(entries, shape=(len(self.texts.rows), len(names)))
        self.tags = Tags(
            names=names,
            vectors=arrays["tags"],
            carried=carried,
            # a release from before there was a taxonomy knows none of these
            kind=values.get("kind", "genres"),
            tag_ids=tuple(values.get("tag_ids", ())),
            counts=arrays.get("counts", np.ones(len(names), dtype=np.float32)),
            middle=arrays.get("middle", np.zeros_like(self.texts.mean)),
        )

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


def _reads_taxonomy(catalogue: Catalogue, wanted: str) -> bool:
    """Whether the tags are those of the taxonomy.

    Raises:
        PermanentError: They are asked for, and the catalogue has none.
    """
    there = catalogue.tags is not None
    if wanted == "taxonomy" and not there:
        raise PermanentError(
            "interest_profile: expected items with tags of a taxonomy, found none",
            hint="Run the stages up to plmrec understand, or take `tags: auto`",
        )
    is_used = there and catalogue.tags is not None and catalogue.tags.strengths.nnz > 0
    return wanted == "taxonomy" or (wanted == "auto" and is_used)


def build(options: Options) -> InterestProfile:
    """Build the recommender; called by plmrec.backends."""
    return InterestProfile(options=options)
