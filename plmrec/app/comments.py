"""Composes what judges the comments of users: praise, blame, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, cast

import numpy as np

from plmrec.app.context import Context
from plmrec.backends import build_backend
from plmrec.histories import Floats
from plmrec.stages.training_data import FeelTexts
from plmrec.understanding.base import SentimentJudge

_FAMILY: Final = "understanding.sentiment"
_JUDGE: Final = "vader"  # made for short, informal texts; no weights to load for one user's profile
_KEPT: Final = 1 << 16  # judgements in memory: people write the same few words again and again


def comment_judge(context: Context) -> FeelTexts | None:
    """What gives the sentiment of comments; None when no comment counts against its item."""
    return _feel if context.params.feedback.comment_weight > 0 else None


def _feel(texts: Sequence[str]) -> Floats:
    return np.array([_sentiment(text) for text in texts], dtype=np.float64)


@lru_cache(maxsize=_KEPT)
def _sentiment(text: str) -> float:
    """Sentiment of one comment, in [-1, 1]; nan when it cannot be told.

    A comment is mostly too short for its language to be found, and is read without.
    """
    (found,) = _judge().judge([text], [None])
    return np.nan if found is None else found


@lru_cache(maxsize=1)
def _judge() -> SentimentJudge:
    return cast("SentimentJudge", build_backend(_FAMILY, _JUDGE, {}))
