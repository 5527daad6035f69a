"""The stage "understand": a row per item, computed again when what it rests on changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from plmrec.app.context import open_context
from plmrec.app.embed import embed, encoder_fingerprint
from plmrec.app.taxonomy import diff, show, versions
from plmrec.app.understand import (
    finish_understand,
    prepare,
    renew,
    understand,
    understand_shard,
)
from plmrec.digests import digest_json, shard_of
from plmrec.errors import MissingStageError
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stores import tables
from plmrec.stores.workspace import Workspace

N_SHARDS = 2
KINDS = {
    "Whales": "The blue whale swims in the deep ocean. A calf breathes at the surface.",
    "Bread": "Knead the sourdough with flour and salt. The oven must be very hot.",
    "Chess": "The queen opens the endgame. A knight takes the pawn on the board.",
}
VALUES: dict[str, Any] = {
    "shards": N_SHARDS,
    "encoder": {"backend": "hashing", "options": {"dim": 64}},
}
PARAMS = Params.model_validate(VALUES)


def make_items(n_items: int = 30) -> list[dict[str, Any]]:
    kinds = list(KINDS.items())
    return [
        {
            "item_id": f"i{number:03d}",
            "title": f"{kinds[number % 3][0]} {number}",
            "description": kinds[number % 3][1],
            "genres": [kinds[number % 3][0]],
            "creators": [f"Maker {number % 3}"],
            "said": [f"Welcome to part {number} of our beautiful series."],
        }
        for number in range(n_items)
    ]


def write(settings: Settings, items: Sequence[dict[str, Any]], comments: Sequence[str] = ()):
    """Write what validate and transcribe leave; comments are all on the first item."""
    workspace = Workspace(settings.workspace)
    items_table = tables.items_table(workspace, N_SHARDS)
    transcripts = tables.transcripts_table(workspace, N_SHARDS)
    for number, shard in enumerate(items_table.shards):
        mine = [item for item in items if shard_of(item["item_id"], N_SHARDS) == number]
        rows, said = [], []
        for item in mine:
            known = {name: value for name, value in item.items() if name != "said"}
            rows.append(
                {**dict.fromkeys(items_table.schema.names), "digest": digest_json(known), **known}
            )
            segments = [
                {"start_s": 4.0 * n, "end_s": 4.0 * n + 3, "text": text, "confidence": 1.0}
                for n, text in enumerate(item["said"])
            ]
            row = {"item_id": item["item_id"], "status": "subtitles", "segments": segments}
            blank = dict.fromkeys(transcripts.schema.names)
            said.append({**blank, **row, "digest": digest_json(segments)})
        items_table.write(shard, rows)
        transcripts.write(shard, said)
    interactions = tables.interactions_table(workspace, N_SHARDS)
    spoken = [
        {
            **dict.fromkeys(interactions.schema.names),
            "user_id": f"u{number}",
            "item_id": items[0]["item_id"],
            "event": "comment",
            "text": text,
        }
        for number, text in enumerate(comments)
    ]
    for number, shard in enumerate(interactions.shards):
        interactions.write(shard, spoken if number == 0 else [])


def run(settings: Settings, params: Params = PARAMS) -> dict[str, Any]:
    embed(settings=settings, params=params)
    return understand(settings=settings, params=params)


def rows(settings: Settings, params: Params = PARAMS) -> dict[str, dict[str, Any]]:
    context = open_context(settings, params)
    table = tables.meanings_table(context.workspace, N_SHARDS, encoder_fingerprint(context))
    return {row["item_id"]: row for row in table.rows()}


def test_every_item_has_a_row_that_says_what_made_each_field(tmp_settings: Settings) -> None:
    write(tmp_settings, make_items())
    report = run(tmp_settings)
    assert (report["in"], report["out"], report["computed"]) == (30, 30, 30)
    found = rows(tmp_settings)
    row = found["i000"]
    assert row["language"] == "en"
    assert "whale" in row["summary"]
    assert row["keywords"]
    assert row["sentiment"] is not None
    assert {tag["tag_id"] for tag in row["tags"] if tag["is_label"]} == {
        "genre:whales",
        "creator:maker-0",
    }
    assert row["taxonomy_version"] == 1
    models = json.loads(row["models"])
    assert set(models) == {
        "language", "summary", "keywords", "sentiment", "comments_sentiment", "topic", "tags",
    }  # fmt: skip
    assert "taxonomy 1" in models["tags"]
    assert "hashing-64" in models["summary"]
    of_kinds = [
        {found[f"i{number:03d}"]["topic_id"] for number in range(kind, 30, 3)} - {None}
        for kind in range(3)
    ]
    assert not of_kinds[0] & of_kinds[1]
    assert not of_kinds[0] & of_kinds[2]


def test_a_second_run_computes_nothing(tmp_settings: Settings) -> None:
    write(tmp_settings, make_items())
    first = run(tmp_settings)
    again = run(tmp_settings)
    assert (again["computed"], again["reused"]) == (0, 30)
    assert again["digest"] == first["digest"]


def test_a_change_of_one_items_subtitles_computes_exactly_that_items_rows(
    tmp_settings: Settings,
) -> None:
    items = make_items()
    write(tmp_settings, items)
    run(tmp_settings)
    before = rows(tmp_settings)
    items[4] = {**items[4], "said": ["Now it is about a storm in the mountains."]}
    write(tmp_settings, items)
    assert embed(settings=tmp_settings, params=PARAMS)["computed"] == 1
    report = understand(settings=tmp_settings, params=PARAMS)
    assert (report["computed"], report["taxonomy_version"], report["topics_version"]) == (1, 1, 1)
    after = rows(tmp_settings)
    changed = [item_id for item_id in after if after[item_id] != before[item_id]]
    assert changed == ["i004"]
    assert "storm" in after["i004"]["summary"]


def test_comments_count_and_change_only_their_item(tmp_settings: Settings) -> None:
    items = make_items()
    write(tmp_settings, items, ["I love this, wonderful!", "Great."])
    run(tmp_settings)
    row = rows(tmp_settings)["i000"]
    assert row["n_comments"] == 2
    assert row["comments_sentiment"] > 0.5
    assert rows(tmp_settings)["i001"]["comments_sentiment"] is None
    write(tmp_settings, items, ["I love this, wonderful!", "Great.", "Awful, I hate it."])
    assert run(tmp_settings)["computed"] == 1
    assert rows(tmp_settings)["i000"]["comments_sentiment"] < row["comments_sentiment"]


def test_new_items_change_no_version_until_asked(tmp_settings: Settings) -> None:
    write(tmp_settings, make_items())
    run(tmp_settings)
    assert renew(settings=tmp_settings, params=PARAMS)["taxonomy_version"] == 1  # says the same
    more = [
        *make_items(),
        *(item | {"item_id": f"n{item['item_id']}", "genres": ["Snow"]} for item in make_items(6)),
    ]
    write(tmp_settings, more[:33])
    report = run(tmp_settings)
    assert (report["computed"], report["taxonomy_version"], report["topics_version"]) == (3, 1, 1)
    write(tmp_settings, more)
    run(tmp_settings)
    assert renew(settings=tmp_settings, params=PARAMS)["taxonomy_version"] == 2
    changes = diff(1, 2, settings=tmp_settings, params=PARAMS)
    assert ("added", "genre:snow") in {(row["change"], row["tag_id"]) for row in changes}
    assert [row["version"] for row in versions(settings=tmp_settings, params=PARAMS)] == [1, 2]
    assert understand(settings=tmp_settings, params=PARAMS)["computed"] == 36


def test_another_list_of_tags_is_a_new_version_and_the_old_one_stays(
    tmp_settings: Settings, tmp_path
) -> None:
    write(tmp_settings, make_items())
    run(tmp_settings)
    file = tmp_path / "tags.yaml"
    file.write_text("- {id: sea, name: Sea, words: [whale, ocean, surface]}\n")
    other = Params.model_validate(VALUES | {"understanding": {"taxonomy": {"curated": str(file)}}})
    report = run(tmp_settings, other)
    assert (report["taxonomy_version"], report["computed"]) == (2, 30)
    names = {row["tag_id"] for row in show(2, settings=tmp_settings, params=other)}
    assert "curated:sea" in names
    assert "curated:astronomy" not in names
    old = {row["tag_id"] for row in show(1, settings=tmp_settings, params=other)}
    assert "curated:astronomy" in old


def test_shard_by_shard_as_a_scheduler_does(tmp_settings: Settings) -> None:
    write(tmp_settings, make_items())
    embed(settings=tmp_settings, params=PARAMS)
    shards = prepare(settings=tmp_settings, params=PARAMS)
    assert shards == ["part-000", "part-001"]
    with pytest.raises(MissingStageError, match="up to date"):
        finish_understand([], settings=tmp_settings, params=PARAMS)
    reports = [understand_shard(shard, settings=tmp_settings, params=PARAMS) for shard in shards]
    report = finish_understand(reports, settings=tmp_settings, params=PARAMS)
    assert (report["computed"], report["taxonomy_version"]) == (30, 1)
    assert prepare(settings=tmp_settings, params=PARAMS) == []


def test_personal_data_is_masked_everywhere_but_in_the_transcript(tmp_settings: Settings) -> None:
    items = make_items(4)
    items[0] |= {
        "title": "Ask ann@example.org",
        "description": "Write to ann@example.org. Or call 212-555-0187 for whales and more whales.",
        "said": ["my number is", "+49 30 901820", "and my card 4111 1111 1111 1111"],
    }
    write(tmp_settings, items)
    report = run(tmp_settings)
    assert report["masked"] == {"card": 1, "email": 2, "phone": 2}
    workspace = Workspace(tmp_settings.workspace)
    fingerprint = encoder_fingerprint(open_context(tmp_settings, PARAMS))
    for table in (
        tables.documents_table(workspace, N_SHARDS),
        tables.passages_table(workspace, N_SHARDS, fingerprint),
        tables.meanings_table(workspace, N_SHARDS, fingerprint),
    ):
        text = repr(list(table.rows()))
        for secret in ("ann@example.org", "555-0187", "901820", "4111"):
            assert secret not in text, table.name
    assert "901820" in repr(list(tables.transcripts_table(workspace, N_SHARDS).rows()))
    assert json.loads(rows(tmp_settings)["i000"]["masked"]) == report["masked"]


def test_an_empty_dataset_is_understood(tmp_settings: Settings) -> None:
    write(tmp_settings, [{"item_id": "x"}][:0] or [], [])
    assert run(tmp_settings)["out"] == 0


def test_without_vectors_the_next_step_is_said(tmp_settings: Settings) -> None:
    with pytest.raises(MissingStageError, match="plmrec embed"):
        understand(settings=tmp_settings, params=PARAMS)


def test_of_a_large_corpus_a_part_is_looked_at_and_every_item_is_understood(
    tmp_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plmrec.stages.taxonomy._MOST_ITEMS", 15)
    write(tmp_settings, make_items(60))
    report = run(tmp_settings)
    assert report["out"] == 60
    counted = Workspace(tmp_settings.workspace).read_json("topics", "1", "topics.json")
    assert counted["n_items"] == 60
    assert 5 <= counted["corpus"]["n_documents"] <= 30
