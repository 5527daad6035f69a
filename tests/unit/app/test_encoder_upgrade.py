"""What an upgrade of the encoder costs, as the workspace says it."""

from __future__ import annotations

import numpy as np
import pytest

from plmrec.app import encoder_upgrade
from plmrec.app.context import open_context
from plmrec.app.embed import encoder_fingerprint
from plmrec.errors import MissingStageError
from plmrec.params import Params
from plmrec.stages.encoder_upgrade import SAMPLE
from plmrec.stores.tables import passages_table
from tests.support.embedded import Embedded

N_SHARDS = 3
PARAMS = Params.model_validate({"shards": N_SHARDS, "encoder": {"backend": "hashing"}})


@pytest.fixture
def sampled(monkeypatch) -> list[str]:
    """Texts that the new encoder was timed with."""
    found: list[str] = []
    real = encoder_upgrade.estimate_cost

    def estimate(encoder, sample, **counts):
        found.extend(sample)
        return real(encoder, sample, **counts)

    monkeypatch.setattr(encoder_upgrade, "estimate_cost", estimate)
    return found


def test_the_same_workspace_gives_the_same_plan(tmp_settings, sampled):
    context = open_context(tmp_settings, PARAMS)
    now = encoder_fingerprint(context)
    Embedded(tmp_settings.workspace, n_items=200, n_shards=N_SHARDS, dim=4, fingerprint=now).write()
    texts = passages_table(context.workspace, N_SHARDS, now).read_all(["text"])["text"].to_pylist()
    assert len(texts) > SAMPLE
    for _ in range(2):
        sampled.clear()
        plan = encoder_upgrade.plan_upgrade(
            "hashing", {"dim": 64}, settings=tmp_settings, params=PARAMS
        )
        assert (plan["items"], plan["passages"], plan["sampled"]) == (200, len(texts), SAMPLE)
        assert sampled == [texts[n] for n in np.linspace(0, len(texts) - 1, SAMPLE).astype(int)]


def test_a_workspace_that_was_not_embedded_has_no_plan(tmp_settings):
    context = open_context(tmp_settings, PARAMS)
    Embedded(tmp_settings.workspace, n_items=3, n_shards=N_SHARDS, fingerprint="other").write()
    assert encoder_fingerprint(context) != "other"
    with pytest.raises(MissingStageError, match="expected passages of the encoder"):
        encoder_upgrade.plan_upgrade("hashing", {"dim": 64}, settings=tmp_settings, params=PARAMS)
