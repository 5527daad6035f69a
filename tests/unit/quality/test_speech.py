"""The rules for recognised speech, as Great Expectations judges them."""

from __future__ import annotations

import pytest

from plmrec.params import SpeechQualityParams
from plmrec.quality.speech import GreatExpectationsSpeechJudge, SpeechLimits

LIMITS = SpeechLimits(**SpeechQualityParams().model_dump(exclude={"min_words"}))
GOOD = {
    "confidence": 0.6,
    "words_per_s": 2.5,
    "repetition": 0.01,
    "compression": 1.8,
    "language_confidence": None,
}


@pytest.fixture(scope="module")
def judge() -> GreatExpectationsSpeechJudge:
    return GreatExpectationsSpeechJudge()


def test_each_rule_refuses_what_breaks_it_and_says_how(judge):
    rows = [
        GOOD,
        {**GOOD, "repetition": 0.9, "compression": 9.0},
        {**GOOD, "compression": 3.0},
        {**GOOD, "words_per_s": 30.0},
        {**GOOD, "confidence": 0.05},
        {**GOOD, "language_confidence": 0.1},
        {**GOOD, "language_confidence": 0.9},
    ]
    found = [(verdict.row, verdict.reason, verdict.detail) for verdict in judge.judge(rows, LIMITS)]
    assert found == [
        (1, "speech_repetitive", "repetition: expected at most 0.5, got 0.9"),
        (2, "speech_compressible", "compression: expected at most 2.8, got 3.0"),
        (3, "speech_too_fast", "words_per_s: expected at most 7, got 30.0"),
        (4, "speech_low_confidence", "confidence: expected at least 0.2, got 0.05"),
        (5, "speech_language_unsure", "language_confidence: expected at least 0.2, got 0.1"),
    ]


def test_the_judge_may_be_asked_again_and_by_nobody(judge):
    assert judge.judge([GOOD], LIMITS) == []
    assert judge.judge([GOOD], LIMITS) == []
    assert judge.judge([], LIMITS) == []
