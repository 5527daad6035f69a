"""Sentiment by a sequence classification model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from plmrec.errors import BackendUnavailableError
from plmrec.types import FloatMatrix
from plmrec.understanding._models import Model, ModelOptions
from plmrec.understanding.words import plain


class Options(ModelOptions):
    """Options of this backend in params.yaml."""

    languages: tuple[str, ...] = Field(
        default=(), description="codes the model knows; texts of others have none. Empty: all"
    )


class ClassifiedSentiment:
    """Expected value of the model's classes, from -1 for the worst to 1 for the best.

    Classes named after negative, neutral and positive are told by their names; others, such as
    ``1 star`` to ``5 stars``, are taken in their order, worst first.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._model = Model(options, "AutoModelForSequenceClassification")

    @property
    def made_by(self) -> str:
        """Name of the model and digest of its files."""
        return self._model.made_by

    def judge(self, texts: Sequence[str], languages: Sequence[str | None]) -> list[float | None]:
        """See SentimentJudge.judge."""
        known = {None, *self._options.languages}
        read = [plain(text)[:4000] for text in texts]
        places = [
            place
            for place, (text, language) in enumerate(zip(read, languages, strict=True))
            if any(map(str.isalpha, text)) and (not self._options.languages or language in known)
        ]
        found: list[float | None] = [None] * len(read)
        if places:
            rows = self._model.class_probabilities([read[place] for place in places])
            for place, value in zip(places, rows @ self._values(), strict=True):
                found[place] = round(float(np.clip(value, -1.0, 1.0)), 4)
        return found

    def _values(self) -> FloatMatrix:
        """Value of each class, (n_classes,)."""
        names = self._model.weights.config.id2label
        labels = [str(names[place]).lower() for place in range(len(names))]
        if len(labels) < 2:
            raise BackendUnavailableError(
                f"sentiment: expected a model with classes from bad to good, got {labels}",
                hint="Name a model with at least two classes",
            )
        told = {"neg": -1.0, "neu": 0.0, "pos": 1.0}
        if all(label[:3] in told for label in labels):
            return np.array([told[label[:3]] for label in labels], dtype=np.float32)
        return np.linspace(-1.0, 1.0, len(labels), dtype=np.float32)


def build(options: Options) -> ClassifiedSentiment:
    """Build the judge; called by plmrec.backends."""
    return ClassifiedSentiment(options)
