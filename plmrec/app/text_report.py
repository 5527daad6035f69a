"""Compose the report on texts: read the tables, write a page for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from plmrec.app.context import open_context
from plmrec.app.embed import encoder_fingerprint
from plmrec.app.text_page import text_page
from plmrec.app.understand import UNDERSTOOD
from plmrec.params import Params
from plmrec.settings import Settings
from plmrec.stages.text_report import TextTables, describe_texts
from plmrec.stores import tables
from plmrec.stores.taxonomies import load_taxonomy

_SAMPLES: Final = 8
_ODD: Final = 8


def text_report(
    *,
    output: Path | None = None,
    settings: Settings | None = None,
    params: Params | None = None,
) -> dict[str, Any]:
    """Describe the texts of the workspace and write the page.

    Args:
        output: File of the page; ``reports/text.html`` in the workspace when None.
        settings: Where to look; the environment by default.
        params: What was run; params.yaml by default.

    Returns:
        What ``describe_texts`` returns, and ``page``, where the page is.

    Raises:
        MissingStageError: The documents were not understood yet.
    """
    context = open_context(settings, params)
    n_shards, fingerprint = context.params.shards, encoder_fingerprint(context)
    found = describe_texts(
        TextTables(
            items=tables.items_table(context.workspace, n_shards),
            transcripts=tables.transcripts_table(context.workspace, n_shards),
            documents=tables.documents_table(context.workspace, n_shards),
            passages=tables.passages_table(context.workspace, n_shards, fingerprint),
            meanings=tables.meanings_table(context.workspace, n_shards, fingerprint),
        ),
        n_samples=_SAMPLES,
        n_odd=_ODD,
        seed=context.params.seed,
    )
    versions = context.workspace.read_json(*UNDERSTOOD)
    taxonomy = load_taxonomy(context.workspace, versions["taxonomy"])
    names = {tag.tag_id: tag.name for tag in taxonomy.tags}
    page = text_page(found, names=names, mask=context.params.documents.mask)
    if output is None:
        context.workspace.write_bytes(page.encode("utf-8", "replace"), "reports", "text.html")
        found["page"] = f"{context.workspace.root}/reports/text.html"
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(page.encode("utf-8", "replace"))
        found["page"] = str(output)
    return found
