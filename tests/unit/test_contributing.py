"""What CONTRIBUTING shows works as shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from plmrec.speech._activity import make_detector
from plmrec.stages.hearing import Medium, hear
from tests.support.media import bursts, wav
from tests.support.tastes import make_data

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


def test_the_recommender_in_one_file_recommends():
    (code,) = [each for each in re.findall(r"```python\n(.*?)```", TEXT, re.S) if "likes.T" in each]
    names: dict[str, Any] = {}
    source = (
        "from pydantic import Field\n"
        "from plmrec.histories import TrainingData\n"
        "from plmrec.params import Section\n"
        "from plmrec.recommenders._item_to_item import ItemToItem, known_items, reading\n"
        "from plmrec.recommenders._linear import LinearRecommender\n"
        "from plmrec.recommenders._weights import Reads, evidence\n" + code
    )
    # Not postponed as this file's annotations are: pydantic would look them up in a module.
    exec(compile(source, "mine.py", "exec", dont_inherit=True), names)
    data = make_data()
    model = names["build"](names["Options"]())
    model.fit(data)
    likes = data.histories.positives().matrix().toarray()
    np.testing.assert_allclose(model.score(data.histories), likes @ (likes.T @ likes))


def test_the_speech_backend_in_one_file_is_heard(tmp_path):
    (code,) = [each for each in re.findall(r"```python\n(.*?)```", TEXT, re.S) if "Heard(" in each]
    names: dict[str, Any] = {}
    source = (
        "from collections.abc import Sequence\n"
        "from pydantic import Field\n"
        "from plmrec.params import Section\n"
        "from plmrec.speech.base import SAMPLE_RATE_HZ, Heard, Span, Spoken, Window\n"
        "from plmrec.types import Segment\n" + code
    )
    exec(compile(source, "mine.py", "exec", dont_inherit=True), names)
    file = tmp_path / "a.wav"
    file.write_bytes(wav(np.concatenate([np.zeros(16_000, np.float32), bursts(4)])))
    (text,) = hear(
        [Medium(key="a", origin="a.wav", open=lambda: file.open("rb"))],
        recogniser=names["build"](names["Options"]()),
        detector=make_detector("energy", threshold=0.5),
        max_s=60.0,
    )
    assert [segment.text for segment in text.segments] == ["words"]
