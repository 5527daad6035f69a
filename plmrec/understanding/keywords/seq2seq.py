"""Keywords written by a sequence-to-sequence model, such as a T5 trained for keyphrases."""

from __future__ import annotations

import re

import numpy as np
from pydantic import Field

from plmrec.understanding._models import Model, ModelOptions
from plmrec.understanding.base import Encode, Keyword, Texts
from plmrec.understanding.words import plain


class Options(ModelOptions):
    """Options of this backend in params.yaml."""

    prefix: str = Field(default="", description="put before each text")
    separators: str = Field(default=";,", min_length=1, description="signs between two keywords")
    n_keywords: int = Field(default=5, ge=1, le=100, description="keywords of an item")
    max_new_tokens: int = Field(default=60, ge=1, description="longest answer, tokens")


class WrittenKeywords:
    """Keywords as the model lists them; scored by the encoder's likeness to the document."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._model = Model(options, "AutoModelForSeq2SeqLM")

    @property
    def made_by(self) -> str:
        """Name of the model and digest of its files."""
        return self._model.made_by

    def find(self, documents: Texts, encode: Encode) -> list[list[Keyword]]:
        """See KeywordFinder.find."""
        read = [plain(text)[:20_000] for text in documents.texts]
        places = [n for n, text in enumerate(read) if any(map(str.isalpha, text))]
        answers = self._model.generate(
            [read[place] for place in places],
            prefix=self._options.prefix,
            max_new_tokens=self._options.max_new_tokens,
        )
        found: list[list[Keyword]] = [[] for _ in read]
        for place, answer in zip(places, answers, strict=True):
            listed = re.split(f"[{re.escape(self._options.separators)}]", answer.lower())
            named = dict.fromkeys(name.strip() for name in listed if name.strip())
            if names := list(named)[: self._options.n_keywords]:
                likeness = np.clip(encode(names) @ documents.vectors[place], 0.0, 1.0)
                pairs = zip(names, likeness, strict=True)
                scored = [Keyword(name, round(float(score), 4)) for name, score in pairs]
                found[place] = sorted(scored, key=lambda keyword: -keyword.score)
        return found


def build(options: Options) -> WrittenKeywords:
    """Build the finder; called by plmrec.backends."""
    return WrittenKeywords(options)
