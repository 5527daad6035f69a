"""Other subtitles of one item: each stage up to meanings computes that item alone again."""

from __future__ import annotations

import pytest

from plmrec.app.context import open_context
from plmrec.app.embed import embed, encoder_fingerprint
from plmrec.app.transcribe import transcribe
from plmrec.app.understand import understand
from plmrec.app.validate import validate
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stores import tables
from tests.support.raw_datasets import item, write_dataset

pytestmark = pytest.mark.integration

PARAMS = Params.model_validate(
    {
        "shards": 2,
        "speech": {"backend": "scripted"},
        "encoder": {"backend": "hashing", "options": {"dim": 64}},
    }
)
CUE = "WEBVTT\n\n00:00:01.000 --> 00:00:04.000\n{}\n"


def test_only_the_item_whose_subtitles_changed_is_computed_again(tmp_path):
    names = [f"i{number}" for number in range(6)]
    items = [item(name, subtitles=f"media/{name}.vtt") for name in names]
    source = write_dataset(tmp_path / "dataset", items, ["u1,i1,like,1,2025-01-01T00:00:00Z"])
    for name in names:
        (source / "media" / f"{name}.vtt").write_text(CUE.format(f"The whales of bay {name} sing."))
    where = {"settings": Settings(workspace=str(tmp_path / "workspace")), "params": PARAMS}
    context = open_context(**where)
    fingerprint = encoder_fingerprint(context)
    written = (
        tables.documents_table(context.workspace, 2),
        tables.passages_table(context.workspace, 2, fingerprint),
        tables.item_vectors_table(context.workspace, 2, fingerprint),
        tables.meanings_table(context.workspace, 2, fingerprint),
    )

    def run():
        validate(str(source), **where)
        reports = [stage(**where) for stage in (transcribe, embed, understand)]
        return [report["computed"] for report in reports], [list(t.rows()) for t in written]

    computed, before = run()
    assert computed == [6, 6, 6]
    (source / "media" / "i3.vtt").write_text(CUE.format("Bread is baked before the sun is up."))
    computed, after = run()
    assert computed == [1, 1, 1]
    for old, new in zip(before, after, strict=True):
        assert {row["item_id"] for row in new if row not in old} == {"i3"}
        assert len(new) == len(old)
    assert "Bread" in next(row["summary"] for row in after[-1] if row["item_id"] == "i3")
    assert run()[0] == [0, 0, 0]
