"""Abstractive summary by a sequence-to-sequence model, such as T5 or BART."""

from __future__ import annotations

from pydantic import Field

from plmrec.understanding._models import Model, ModelOptions
from plmrec.understanding.base import Encode, Texts
from plmrec.understanding.words import plain


class Options(ModelOptions):
    """Options of this backend in params.yaml."""

    prefix: str = Field(default="", description="put before each text, such as ``summarize: ``")
    max_new_tokens: int = Field(default=80, ge=1, description="longest summary, tokens")


class WrittenSummary:
    """Writes a summary in words of its own, greedily; texts are cut at the model's limit."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._model = Model(options, "AutoModelForSeq2SeqLM")

    @property
    def made_by(self) -> str:
        """Name of the model and digest of its files."""
        return self._model.made_by

    def summarise(self, documents: Texts, encode: Encode) -> list[str | None]:
        """See Summariser.summarise."""
        del encode  # the model has an encoder of its own
        read = [plain(text)[:20_000] for text in documents.texts]
        places = [n for n, text in enumerate(read) if any(map(str.isalpha, text))]
        found: list[str | None] = [None] * len(read)
        written = self._model.generate(
            [read[place] for place in places],
            prefix=self._options.prefix,
            max_new_tokens=self._options.max_new_tokens,
        )
        for place, summary in zip(places, written, strict=True):
            found[place] = summary or None
        return found


def build(options: Options) -> WrittenSummary:
    """Build the summariser; called by plmrec.backends."""
    return WrittenSummary(options)
