"""The first page of the Data Docs: every run with what failed, readable without any network.

The index that Great Expectations builds draws its table with scripts from a content delivery
network, so that on a closed network it shows no run at all.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PAGE: Final = "runs.html"

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .6rem; vertical-align: top }
tr { border-bottom: 1px solid #8884 }
:root { color-scheme: light dark }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedBatch:
    """One batch of one run.

    Attributes:
        run: Name of the run, its time in UTC.
        table: What was judged.
        page: Its page, relative to the folder of the site.
        n_rules: Expectations evaluated.
        failed: For each expectation that failed, its reason and how many rows.
    """

    run: str
    table: str
    page: str
    n_rules: int
    failed: tuple[str, ...]


def write_run_list(docs: Path, results: Path) -> Path:
    """Write the page that lists the runs whose results are kept, newest first.

    Args:
        docs: Folder of the Data Docs site.
        results: Folder of the stored validation results.
    """
    batches = sorted(_batches(results), key=lambda batch: batch.table)
    batches.sort(key=lambda batch: batch.run, reverse=True)
    rows = "\n".join(_row(batch) for batch in batches)
    page = docs / PAGE
    page.write_text(
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Data Docs</title>'
        f"<style>{_STYLE}</style>\n<h1>Data Docs</h1>\n"
        '<p>Validations, newest first. <a href="index.html">Index by Great Expectations</a></p>\n'
        "<table><tr><th>run<th>table<th>rules<th>failed, and how many rows\n"
        f"{rows}\n</table></html>\n",
        encoding="utf-8",
    )
    return page


def _batches(results: Path) -> Iterator[JudgedBatch]:
    for file in sorted(results.rglob("*.json")):
        outcome: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        place = file.relative_to(results).with_suffix(".html")
        yield JudgedBatch(
            run=outcome["meta"]["run_id"]["run_name"],
            table=outcome["suite_name"],
            page=f"validations/{place.as_posix()}",
            n_rules=outcome["statistics"]["evaluated_expectations"],
            failed=tuple(_failure(each) for each in outcome["results"] if not each["success"]),
        )


def _failure(outcome: dict[str, Any]) -> str:
    config = outcome["expectation_config"]
    reason = str((config.get("meta") or {}).get("reason") or config["type"])
    count = outcome["result"].get("unexpected_count")
    return reason if count is None else f"{reason}: {count}"


def _row(batch: JudgedBatch) -> str:
    failed = html.escape(", ".join(batch.failed)) or "none"
    return (
        f"<tr><td>{html.escape(batch.run)}"
        f'<td><a href="{html.escape(batch.page)}">{html.escape(batch.table)}</a>'
        f"<td>{batch.n_rules}<td>{failed}"
    )
