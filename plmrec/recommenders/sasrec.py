"""SASRec: a causal transformer over a user's last items, which may be read from their text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from plmrec.errors import PermanentError, ShapeError
from plmrec.histories import Bools, Catalogue, Histories, TrainingData
from plmrec.params import Section
from plmrec.recommenders._item_to_item import strongest
from plmrec.recommenders._texts import mean_text, read_texts, sink_unknown
from plmrec.recommenders._weights import Reads
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State, moved_places
from plmrec.types import FloatMatrix

if TYPE_CHECKING:
    from plmrec.recommenders._attention import Reader

_OCCLUDED = 20  # last entries that an explanation tries to do without


class Options(Section):
    """Options of this backend."""

    items: Literal["id", "text", "fused"] = Field(
        default="fused",
        description="an item's vector: learnt for its id, projected from its text, or their sum",
    )
    reads: Reads = Field(
        default="seen", description="read what users liked, or all they had to do with"
    )
    predicts: Reads = Field(
        default="liked", description="learn to predict likes, or anything that is read"
    )
    width: int = Field(default=64, ge=2, le=1024, description="width of all vectors")
    layers: int = Field(default=2, ge=1, le=16, description="blocks of attention")
    heads: int = Field(default=2, ge=1, le=32, description="heads per block; must divide width")
    hidden: int = Field(
        default=128, ge=1, le=4096, description="inner width of the text projection"
    )
    dropout: float = Field(default=0.3, ge=0, lt=1, description="share of activations dropped")
    id_dropout: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="share of items read by their text alone per step, when both are summed",
    )
    max_length: int = Field(default=50, ge=1, le=1000, description="last entries that are read")
    epochs: int = Field(
        default=60,
        ge=1,
        description="passes over the histories, at most; more where one has under 10 batches",
    )
    patience: int = Field(
        default=8, ge=1, description="passes in a row without a better holdout before it stops"
    )
    max_steps: int = Field(default=5000, ge=1, description="batches, at most")
    batch_entries: int = Field(default=1024, ge=1, description="entries of histories per batch")
    learning_rate: float = Field(default=1e-3, gt=0, description="of AdamW")
    weight_decay: float = Field(default=0.0, ge=0, description="of AdamW")
    averaging: float = Field(
        default=0.99, ge=0, lt=1, description="share of the averaged weights kept per batch"
    )
    holdout_users: int = Field(
        default=500,
        ge=0,
        description="users whose last entry tells when to stop, at most half; 0: train to the end",
    )
    full_softmax_up_to: int = Field(
        default=4000, ge=0, description="items up to which a batch is compared with all of them"
    )
    n_negatives: int = Field(
        default=1024, ge=1, description="items drawn per batch in a larger catalogue"
    )
    seed: int = Field(default=7, ge=0, description="seed of every random choice")

    @property
    def reads_text(self) -> bool:
        """Whether it knows items nobody liked."""
        return self.items != "id"

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Options:
        if self.width % self.heads:
            raise ValueError(f"heads: expected a divisor of width = {self.width}, got {self.heads}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learnt:
    """What a recommender knows about items and how to read them.

    Attributes:
        items: float32 (n_items, width), vector of each item of the catalogue; zeros if unknown.
        known: (n_items,), True where ``items`` holds a vector.
        mean: float32 (d,), mean of the texts' vectors in training; empty without texts.
        weights: Of the reader (``reader.*``) and of the projection of texts (``text.*``).
        reader: The reader that ``weights`` describe.
    """

    items: FloatMatrix
    known: Bools
    mean: FloatMatrix
    weights: Arrays
    reader: Reader


@dataclass(slots=True, kw_only=True, eq=False)
class SasRec:
    """Predicts the next item from the last ones, in their order.

    Source:
        Kang and McAuley 2018, "Self-attentive sequential recommendation"; trained against all or
        many sampled items as in Klenitskiy and Vasilev 2023, "Turning dross into gold loss: is
        BERT4Rec really better than SASRec?".
    """

    options: Options
    learnt: Learnt | None = None

    @property
    def fitted(self) -> Learnt:
        """What was learnt.

        Raises:
            PermanentError: ``fit`` was not called.
        """
        if self.learnt is None:
            raise PermanentError("sasrec: expected a fitted recommender", hint="Call fit first")
        return self.learnt

    def fit(self, data: TrainingData) -> None:
        """Train; see Recommender.fit."""
        from plmrec.recommenders._sasrec_training import Lesson, train
        from plmrec.recommenders._torch import weights_of

        options, catalogue = self.options, data.catalogue
        mean = mean_text(catalogue) if options.items != "id" else np.zeros(0, dtype=np.float32)
        texts = read_texts(catalogue, mean)
        read = self._read(data.histories)
        known = np.bincount(read.items, minlength=catalogue.n_items) > 0
        if options.items == "text":
            known &= np.any(texts != 0, axis=1)
        read = _renumber(read, known)
        is_later = np.diff(read.users, prepend=-1) == 0
        wanted = is_later & (read.is_positive | (options.predicts == "seen"))
        if not wanted.any():
            self.learnt = _nothing(catalogue, options)
            return
        learner = train(Lesson(read=read, wanted=wanted, texts=texts[known]), options)
        weights = weights_of(learner.reader, "reader.")
        if learner.table.projection is not None:
            weights |= weights_of(learner.table.projection, "text.")
        items = np.zeros((catalogue.n_items, options.width), dtype=np.float32)
        items[known] = learner.vectors()
        self.learnt = _with_texts(
            Learnt(items=items, known=known, mean=mean, weights=weights, reader=learner.reader),
            catalogue,
        )

    def _read(self, histories: Histories) -> Histories:
        """What is read of histories; disliked entries keep their weight, unlike in ``evidence``."""
        return histories.positives() if self.options.reads == "liked" else histories

    def score(self, histories: Histories) -> FloatMatrix:
        """See Recommender.score; items without a vector stand with the lowest."""
        from plmrec.recommenders._attention import last_states

        learnt = self.fitted
        if histories.n_items != len(learnt.known):
            raise ShapeError(
                f"sasrec: expected histories over {len(learnt.known)} items, "
                f"got {histories.n_items}"
            )
        read = self._read(histories)
        read = read.keep(learnt.known[read.items])
        scores = np.zeros((histories.n_users, histories.n_items), dtype=np.float32)
        rows = np.flatnonzero(np.diff(read.indptr))
        if not len(rows):
            return scores
        states = last_states(learnt.reader, learnt.items, read.take(rows))
        scores[rows] = sink_unknown(states @ learnt.items.T, learnt.known)
        return scores

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """Name the user's last items without which the score would be lower by most.

        Source:
            Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks"
            (occlusion).
        """
        read = self._read(history)
        last = np.flatnonzero(read.ranks_from_end() < _OCCLUDED)
        without = [np.arange(len(read.items)) != place for place in last]
        whole = float(self.score(history)[0, item])
        if not without:
            return (Contribution(part="sasrec", value=whole),)
        scores = np.concatenate([self.score(read.keep(kept))[:, item] for kept in without])
        items = strongest(read.items[last], whole - scores.astype(np.float64), history)
        return (Contribution(part="sasrec", value=whole, items=items),)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue; new items are read from their text."""
        learnt, places = self.fitted, moved_places(old, new)
        there = places >= 0
        items = np.zeros((new.n_items, learnt.items.shape[1]), dtype=np.float32)
        known = np.zeros(new.n_items, dtype=np.bool_)
        items[places[there]], known[places[there]] = learnt.items[there], learnt.known[there]
        moved = replace(learnt, items=items, known=known)
        return SasRec(options=self.options, learnt=_with_texts(moved, new))

    def state(self) -> State:
        """See Recommender.state."""
        learnt = self.fitted
        arrays: Arrays = {"items": learnt.items, "known": learnt.known, "mean": learnt.mean}
        return arrays | learnt.weights, {}

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        from plmrec.recommenders._sasrec_training import build_reader
        from plmrec.recommenders._torch import set_weights

        reader = build_reader(self.options)
        set_weights(reader, arrays, "reader.")
        self.learnt = Learnt(
            items=arrays["items"],
            known=arrays["known"].astype(np.bool_),
            mean=arrays["mean"],
            weights={name: array for name, array in arrays.items() if "." in name},
            reader=reader,
        )


def _nothing(catalogue: Catalogue, options: Options) -> Learnt:
    """What is learnt where no history has an entry to predict: no item has a vector."""
    from plmrec.recommenders._sasrec_training import build_reader
    from plmrec.recommenders._torch import seeded, weights_of

    with seeded(options.seed):
        reader = build_reader(options)
    return Learnt(
        items=np.zeros((catalogue.n_items, options.width), dtype=np.float32),
        known=np.zeros(catalogue.n_items, dtype=np.bool_),
        mean=np.zeros(0, dtype=np.float32),
        weights=weights_of(reader, "reader."),
        reader=reader,
    )


def _renumber(read: Histories, known: Bools) -> Histories:
    """Histories over the known items only, numbered among themselves."""
    place_of = np.cumsum(known) - 1
    kept = read.keep(known[read.items])
    return replace(kept, items=place_of[kept.items], n_items=int(known.sum()))


def _with_texts(learnt: Learnt, catalogue: Catalogue) -> Learnt:
    """Give the items that have no vector yet one projected from their text."""
    from plmrec.recommenders._torch import projection_of

    projection = projection_of(learnt.weights, "text.")
    if projection is None:
        return learnt
    texts = read_texts(catalogue, learnt.mean)
    fresh = ~learnt.known & np.any(texts != 0, axis=1)
    items, known = learnt.items.copy(), learnt.known | fresh
    items[fresh] = projection.project(texts[fresh])
    return replace(learnt, items=items, known=known)


def build(options: Options) -> SasRec:
    """Build the recommender; called by plmrec.backends."""
    return SasRec(options=options)
