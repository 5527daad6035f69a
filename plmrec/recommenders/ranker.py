"""Ranker: an LSTM over the texts of a history judges how likely a like of a candidate's text is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from plmrec.errors import PermanentError, ShapeError
from plmrec.histories import Catalogue, Floats, Histories, TrainingData
from plmrec.metrics.calibration import Platt, fit_platt
from plmrec.metrics.probabilities import best_threshold, judge_probabilities
from plmrec.params import Fraction, Section
from plmrec.recommenders._centred_texts import CentredTexts
from plmrec.recommenders._item_to_item import strongest
from plmrec.recommenders._ranker_inputs import N_USER_NUMBERS, ItemCounts, next_user_numbers
from plmrec.recommenders._ranker_lesson import (
    Read,
    in_any_order,
    item_part,
    make_lesson,
    numbers_of_entries,
)
from plmrec.recommenders.base import Arrays, Contribution, Recommender, State, moved_places
from plmrec.types import FloatMatrix

if TYPE_CHECKING:
    from plmrec.recommenders._ranker_net import Net

Task: TypeAlias = Literal["like", "click", "watch"]


class Options(Section):
    """Options of this backend."""

    tasks: tuple[Task, ...] = Field(
        default=("like", "click", "watch"),
        description="what is predicted of a candidate: liked by one who meets it (like), met at "
        "all rather than some other item (click), share watched by one who meets it (watch)",
    )
    width: int = Field(default=64, ge=1, le=1024, description="width of texts and LSTM")
    hidden: int = Field(default=64, ge=1, le=1024, description="width of the dense layer")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="share of activations dropped")
    max_history: int = Field(default=64, ge=1, le=1000, description="last entries that are read")
    negatives: int = Field(
        default=4, ge=1, description="items drawn per entry that the user never met"
    )
    epochs: int = Field(default=30, ge=1, description="passes over the histories, at most")
    patience: int = Field(
        default=3, ge=1, description="passes without better predictions before it stops"
    )
    batch_entries: int = Field(default=2048, ge=1, description="steps of histories per batch")
    learning_rate: float = Field(default=2e-3, gt=0, description="of AdamW")
    weight_decay: float = Field(default=1e-2, ge=0, description="of AdamW")
    averaging: float = Field(
        default=0.98, ge=0, lt=1, description="share of the averaged weights kept per batch"
    )
    check_share: Fraction = Field(
        default=0.15,
        description="share of each user's entries, the last ones, that is not learnt from but "
        "tells when to stop, calibrates, sets the threshold, and is reported on",
    )
    seed: int = Field(default=7, ge=0, description="seed of every random choice")

    @model_validator(mode="after")
    def _likes_are_predicted(self) -> Options:
        if "like" not in self.tasks or len(set(self.tasks)) != len(self.tasks):
            raise ValueError(f"tasks: expected like, and each once, got {list(self.tasks)}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """What was learnt.

    Attributes:
        texts: The catalogue's centred vectors, which stay as the encoder made them.
        counts: How often items were met and liked.
        numbers: float64 (2, N_NUMBERS), mean and deviation that the numbers are brought to 0 and 1
            with.
        net: The network.
        platt: From logits of likes to their probability.
        threshold: Probability from which on a like is predicted.
        measured: See ``Ranker.report``.
    """

    texts: CentredTexts
    counts: ItemCounts
    numbers: Floats
    net: Net
    platt: Platt
    threshold: float
    measured: dict[str, float]


@dataclass(slots=True, kw_only=True, eq=False)
class Ranker:
    """Probability that a user who meets an item likes it, from texts, order and simple counts.

    The vectors of the last entries, each with its feedback and the time since the one before, run
    through an LSTM; its state meets the candidate's vector in a dense layer; a sigmoid per task
    ends it. The tasks share all but that last layer.

    Source:
        Hochreiter and Schmidhuber 1997, "Long short-term memory"; the tasks and the product of
        their probabilities as in Ma et al. 2018, "Entire space multi-task model".

    Attributes:
        options: See Options.
        model: What was learnt; None before ``fit``.
    """

    options: Options
    model: Fitted | None = None

    def fit(self, data: TrainingData) -> None:
        """Train on all but the last entries, then calibrate and measure on those.

        See Recommender.fit.
        """
        from plmrec.recommenders._ranker_training import predict, train

        options, histories = self.options, in_any_order(data.histories, self.options.seed)
        texts = CentredTexts.of(data.catalogue)
        lesson, numbers, reported = make_lesson(histories, texts.rows, options)
        net = train(lesson, options)
        like = options.tasks.index("like")
        logits = predict(net, lesson.read, lesson.checked | reported, options)[:, like]
        liked = histories.is_positive
        platt = fit_platt(logits[lesson.checked], liked[lesson.checked])
        threshold = best_threshold(platt.apply(logits[lesson.checked]), liked[lesson.checked])
        measured = judge_probabilities(platt.apply(logits[reported]), liked[reported], threshold)
        everything = np.ones(len(histories.items), dtype=np.bool_)
        self.model = Fitted(
            texts=texts,
            counts=ItemCounts.of(histories, everything),
            numbers=numbers,
            net=net,
            platt=platt,
            threshold=threshold,
            measured=measured,
        )

    def report(self) -> dict[str, float]:
        """How well likes were predicted when it was fitted; see ``judge_probabilities``.

        Measured on the last entries of half of the users. Neither the weights nor the moment to
        stop, the calibration or the threshold come from these; nan where there were too few.
        """
        return dict(self._fitted().measured)

    def probabilities(self, histories: Histories, task: Task = "like") -> FloatMatrix:
        """What is predicted of every user with every item, right after the user's last entry.

        Args:
            histories: n_users rows.
            task: ``like``: probability of liking the item once met, calibrated; ``click``: that it
                is met rather than an item drawn evenly; ``watch``: share watched once met.

        Returns:
            float32 (n_users, n_items), in [0, 1].

        Raises:
            PermanentError: The task was not learnt.
        """
        if task not in self.options.tasks:
            raise PermanentError(f"ranker: expected one of {self.options.tasks}, got {task!r}")
        place = self.options.tasks.index(task)
        platt = self._fitted().platt if task == "like" else Platt(1.0, 0.0)
        rows = [platt.apply(logits[:, place]) for logits in self._logits(histories)]
        return _stack(rows, histories)

    def score(self, histories: Histories) -> FloatMatrix:
        """Logarithm of the probability of meeting and liking each item; see Recommender.score.

        Without the task ``click`` it is that of liking it once met.
        """
        tasks, platt = self.options.tasks, self._fitted().platt
        rows = []
        for logits in self._logits(histories):
            row = _log_sigmoid(platt.slope * logits[:, tasks.index("like")] + platt.offset)
            if "click" in tasks:
                row += _log_sigmoid(logits[:, tasks.index("click")])
            rows.append(row)
        return _stack(rows, histories)

    def predict_entries(self, histories: Histories) -> Floats:
        """Probability that each entry is a like, from what came before it in its row.

        For judging on entries that were not trained on; those that were are counted in what the
        ranker knows of their item.

        Returns:
            float64 (n,), in [0, 1].
        """
        from plmrec.recommenders._ranker_training import predict

        model = self._fitted()
        self._check(histories)
        numbers = numbers_of_entries(histories, model.counts, model.numbers)
        wanted = np.ones(len(histories.items), dtype=np.bool_)
        read = Read(histories=histories, texts=model.texts.rows, numbers=numbers)
        logits = predict(model.net, read, wanted, self.options)
        return model.platt.apply(logits[:, self.options.tasks.index("like")])

    def explain(self, history: Histories, item: int) -> tuple[Contribution, ...]:
        """Name the items without which the score would be lower; see Recommender.explain."""
        value = float(self.score(history)[0, item])
        n = len(history.items)
        first = max(0, n - self.options.max_history)
        without = history.take(np.zeros(n - first, dtype=np.int64))
        left_out = np.arange(first, n) + n * np.arange(n - first)
        kept = np.ones(len(without.items), dtype=np.bool_)
        kept[left_out] = False
        found = [value - row[item] for row in self.score(without.keep(kept))]
        items = strongest(history.items[first:], np.array(found, dtype=np.float64), history)
        return (Contribution(part="ranker", value=value, items=items),)

    def with_catalogue(self, old: Catalogue, new: Catalogue) -> Recommender:
        """See Recommender.with_catalogue; new items are read like others that nobody met."""
        model = self._fitted()
        places = moved_places(old, new)
        met, liked = np.zeros(new.n_items), np.zeros(new.n_items)
        met[places[places >= 0]] = model.counts.met[places >= 0]
        liked[places[places >= 0]] = model.counts.liked[places >= 0]
        counts = replace(model.counts, met=met, liked=liked)
        moved = replace(model, texts=model.texts.over(old, new), counts=counts)
        return replace(self, model=moved)

    def state(self) -> State:
        """See Recommender.state."""
        from plmrec.recommenders._torch import weights_of

        model = self._fitted()
        arrays: Arrays = {
            "mean": model.texts.mean,
            "rows": model.texts.rows,
            "met": model.counts.met,
            "liked": model.counts.liked,
            "numbers": model.numbers,
        }
        values = {
            "rate": model.counts.rate,
            "platt": list(model.platt),
            "threshold": model.threshold,
            "measured": {
                name: None if math.isnan(value) else value for name, value in model.measured.items()
            },
        }
        return arrays | weights_of(model.net, "net."), values

    def load_state(self, arrays: Arrays, values: dict[str, Any]) -> None:
        """See Recommender.load_state."""
        from plmrec.recommenders._ranker_net import Net
        from plmrec.recommenders._torch import seeded, set_weights

        with seeded(0):  # the first weights are drawn, and replaced
            net = Net(arrays["rows"].shape[1], self.options)
        set_weights(net, arrays, "net.")
        self.model = Fitted(
            texts=CentredTexts(mean=arrays["mean"], rows=arrays["rows"]),
            counts=ItemCounts(met=arrays["met"], liked=arrays["liked"], rate=values["rate"]),
            numbers=arrays["numbers"],
            net=net.eval(),
            platt=Platt(*values["platt"]),
            threshold=float(values["threshold"]),
            measured={
                name: math.nan if value is None else float(value)
                for name, value in values["measured"].items()
            },
        )

    def _fitted(self) -> Fitted:
        """What was learnt.

        Raises:
            PermanentError: ``fit`` was not called.
        """
        if self.model is None:
            raise PermanentError("ranker: expected a fitted recommender", hint="Call fit first")
        return self.model

    def _check(self, histories: Histories) -> None:
        """Refuse histories over another catalogue."""
        n_items = len(self._fitted().texts.rows)
        if histories.n_items != n_items:
            raise ShapeError(
                f"ranker: expected histories over {n_items} items, got {histories.n_items}"
            )

    def _logits(self, histories: Histories) -> list[Floats]:
        """Logits of all items per user, each float64 (n_items, n_tasks)."""
        from plmrec.recommenders._ranker_net import Known, score_items

        model = self._fitted()
        self._check(histories)
        mean, deviation = model.numbers[:, :N_USER_NUMBERS]
        users = (next_user_numbers(histories, model.counts.rate) - mean) / deviation
        items = item_part(model.counts, model.numbers)
        known = Known(users=users, items=items, texts=model.texts.rows)
        return score_items(model.net, histories, known, self.options.max_history)


def _log_sigmoid(logits: Floats) -> Floats:
    """Logarithms of probabilities, without underflow."""
    return np.asarray(-np.logaddexp(0.0, -logits))


def _stack(rows: list[Floats], histories: Histories) -> FloatMatrix:
    """One row per user, float32 (n_users, n_items)."""
    return np.array(rows, dtype=np.float32).reshape(histories.n_users, histories.n_items)


def build(options: Options) -> Ranker:
    """Build the recommender; called by plmrec.backends."""
    return Ranker(options=options)
