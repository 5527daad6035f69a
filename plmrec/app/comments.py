"""Composes what judges the comments of users: praise, blame, or neither."""

from __future__ import annotations

import json
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


def comment_judge(context: Context) -> FeelTexts | None:
    """What gives the sentiment of comments, by the same judge as that of the items' texts.

    Returns:
        None when no comment counts against its item.
    """
    if context.params.feedback.comment_weight == 0:
        return None
    wanted = context.params.understanding.sentiment
    options = json.dumps(wanted.options, sort_keys=True)

    def feel(texts: Sequence[str]) -> Floats:
        # a comment is mostly too short for its language to be found
        found = _judge(wanted.backend, options).judge(texts, [None] * len(texts))
        return np.array([np.nan if each is None else each for each in found], dtype=np.float64)

    return feel


@lru_cache(maxsize=2)
def _judge(backend: str, options: str) -> SentimentJudge:
    return cast("SentimentJudge", build_backend(_FAMILY, backend, json.loads(options)))
