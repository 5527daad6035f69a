"""Composes what judges the comments of users: praise, blame, or neither."""

from __future__ import annotations

from plmrec.app.context import Context
from plmrec.stages.training_data import FeelTexts


def comment_judge(context: Context) -> FeelTexts | None:
    """What gives the sentiment of comments; None when comments weigh the same whatever they say."""
    if context.params.feedback.comment_weight == 0:
        return None
    return None
