from __future__ import annotations

import math

import pytest

from plmrec.errors import ShapeError
from plmrec.metrics.speech import normalise_words, speech_errors


def test_counts_each_kind_of_error_over_all_words():
    # said 3 + 5 words; one replaced (sat/hat), one lost (brown), one added (now): 3 / 8
    found = speech_errors(
        ["the cat sat", "a quick brown fox jumps"], ["the cat hat", "a quick fox jumps now"]
    )
    assert (found.substitutions, found.deletions, found.insertions) == (1, 1, 1)
    assert found.wer == pytest.approx(3 / 8)
    assert found.n_words == 8


def test_case_punctuation_and_hyphens_are_no_errors():
    said, heard = "\u201cLower-case\u201d letters; it\u2019s TRUE.", "lower case letters it's true"
    assert speech_errors([said], [heard]).wer == 0


def test_quotes_are_not_apostrophes():
    assert normalise_words("'tis the dogs' \"o'clock\"") == "tis the dogs o'clock"


def test_other_scripts_keep_their_words():
    assert normalise_words("Größe, 你好! Ça") == "grösse 你好 ça"


def test_characters_are_rated_too():
    assert speech_errors(["abcd"], ["abcx"]).cer == pytest.approx(0.25)


def test_nothing_said_and_nothing_heard_has_no_rate():
    assert math.isnan(speech_errors([""], [""]).wer)


def test_words_heard_in_silence_count_as_insertions():
    assert speech_errors([""], ["boo"]).wer == math.inf
    assert speech_errors(["", "a b"], ["boo", "a b"]).wer == pytest.approx(0.5)


def test_nothing_heard_is_all_deletions():
    assert speech_errors(["a b"], [""]) == (1.0, 1.0, 2, 0, 2, 0)


def test_lengths_must_agree():
    with pytest.raises(ShapeError, match="expected 2 hypotheses, got 1"):
        speech_errors(["a", "b"], ["a"])
