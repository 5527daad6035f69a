from __future__ import annotations

import pytest

from plmrec.speech._whisper_family import WhisperOptions, is_credible

PROSE = "The king went down to the sea, and there he saw a ship with a white sail in the storm."


@pytest.mark.parametrize(
    ("text", "mean_logprob", "expected"),
    [
        (PROSE, -0.3, True),
        (PROSE, -1.01, False),
        (PROSE, float("nan"), False),
        ("thank you " * 30, -0.3, False),
        ("!" * 200, -0.3, False),  # a loop without any word
        ("\u3042\u308a\u304c\u3068\u3046" * 30, -0.3, False),
        ("", -0.3, False),
    ],
)
def test_texts_are_credible_unless_they_loop_or_are_unlikely(text, mean_logprob, expected):
    assert is_credible(text, mean_logprob, WhisperOptions()) is expected
