"""The rules for recognised speech: one suite, judged for all transcripts of a shard at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from plmrec.quality.base import Verdict

COLUMNS: Final = (
    "confidence",
    "words_per_s",
    "repetition",
    "compression",
    "language_confidence",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechLimits:
    """The numbers in the rules; see ``speech.quality`` in params.yaml."""

    min_confidence: float
    max_words_per_s: float
    max_repetition: float
    max_compression: float
    min_language_confidence: float


class SpeechJudge(Protocol):
    """Judges recognised speech by its measures."""

    def judge(
        self, rows: Sequence[Mapping[str, float | None]], limits: SpeechLimits
    ) -> list[Verdict]:
        """Return the refused rows, at most one verdict a row, in the order of the rows.

        Args:
            rows: One transcript each, with ``COLUMNS``; a measure that is None breaks no rule.
            limits: The numbers in the rules.
        """


class GreatExpectationsSpeechJudge:
    """Judges with Great Expectations, in one validation a call; see ``SpeechJudge``."""

    def judge(
        self, rows: Sequence[Mapping[str, float | None]], limits: SpeechLimits
    ) -> list[Verdict]:
        """See ``SpeechJudge.judge``."""
        if not rows:
            return []
        os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the library is imported
        import great_expectations as gx
        import pandas as pd
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
        )

        from plmrec.quality.great_expectations_judge import RESULT_FORMAT, refuse_rows
        from plmrec.quality.suites import speech_rules

        frame = pd.DataFrame([{name: row[name] for name in COLUMNS} for row in rows])
        frame = frame.astype("float64").assign(row=range(len(rows)))
        stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
        config = DataContextConfig(
            store_backend_defaults=stores,
            analytics_enabled=False,
            progress_bars={"globally": False},
        )
        context = gx.get_context(mode="ephemeral", project_config=config)
        asset = context.data_sources.add_pandas("speech").add_dataframe_asset("transcripts")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
        suite = gx.ExpectationSuite(name="speech", expectations=speech_rules(limits))
        result = batch.validate(suite, result_format=RESULT_FORMAT)
        verdicts: dict[int, Verdict] = {}
        order = [rule.meta["reason"] for rule in suite.expectations]
        for outcome in sorted(result.results, key=lambda each: order.index(_reason(each))):
            refuse_rows(outcome, frame, verdicts)
        return [verdicts[row] for row in sorted(verdicts)]


def _reason(outcome: Any) -> str:
    return str(outcome.expectation_config.meta["reason"])
