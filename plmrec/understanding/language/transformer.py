"""Language by a sequence classification model, whose labels are codes of languages."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from plmrec.understanding._models import Model, ModelOptions
from plmrec.understanding.base import Language
from plmrec.understanding.words import count_letters, plain


class Options(ModelOptions):
    """Options of this backend in params.yaml."""

    min_letters: int = Field(
        default=20, ge=1, description="letters from which on a text is long enough to tell"
    )


class ClassifiedLanguage:
    """The most probable label of a model such as papluca/xlm-roberta-base-language-detection."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._model = Model(options, "AutoModelForSequenceClassification")

    @property
    def made_by(self) -> str:
        """Name of the model and digest of its files."""
        return self._model.made_by

    def find(self, texts: Sequence[str]) -> list[Language | None]:
        """See LanguageFinder.find."""
        read = [plain(text)[:4000] for text in texts]
        places = [
            n for n, text in enumerate(read) if count_letters(text) >= self._options.min_letters
        ]
        found: list[Language | None] = [None] * len(read)
        if places:
            names = self._model.weights.config.id2label
            rows = self._model.class_probabilities([read[place] for place in places])
            for place, row in zip(places, rows, strict=True):
                best = int(row.argmax())
                found[place] = Language(str(names[best]), round(float(row[best]), 4))
        return found


def build(options: Options) -> ClassifiedLanguage:
    """Build the finder; called by plmrec.backends."""
    return ClassifiedLanguage(options)
