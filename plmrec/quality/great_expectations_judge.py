"""The judge that runs Great Expectations: suites from versioned Python, Data Docs per run."""

from __future__ import annotations

import html
import os
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the library is imported

import great_expectations as gx
import pandas as pd
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import DataContextConfig
from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier

from plmrec.errors import DataContractError
from plmrec.quality.base import Limits, Verdict
from plmrec.quality.run_list import write_run_list
from plmrec.quality.suites import KEEPS_FIRST, RULES, gate_rules

_SITE: Final = "plmrec"
_KEPT_RUNS: Final = 20
_KEPT_EXAMPLES: Final = 20
_KEPT_CHARS: Final = 200
RESULT_FORMAT: Final = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["row"],
    "return_unexpected_index_query": False,
    "include_unexpected_rows": False,
}


class GreatExpectationsJudge:
    """Judges tables with Great Expectations; see ``plmrec.quality.base.Judge``.

    Args:
        docs: Folder of the Data Docs site; ``runs.html`` lists the runs.
        results: Folder of the validation results that the site is built from.
        now: Time of the run; names its pages.
    """

    def __init__(self, docs: Path, results: Path, *, now: datetime) -> None:
        self._docs = docs
        self._results = results
        self._context = gx.get_context(mode="ephemeral", project_config=_config(docs, results))
        self._frames = self._context.data_sources.add_pandas("batch")
        self._run = RunIdentifier(run_name=now.strftime("%Y-%m-%dT%H-%M-%SZ"), run_time=now)
        self._suites: dict[str, Any] = {}
        self._pages: list[Any] = []

    def judge(self, table: str, frame: pd.DataFrame, *, limits: Limits, part: int) -> list[Verdict]:
        """See ``Judge.judge``."""
        rows = frame.assign(row=range(len(frame)))
        suite = self._suite(table, lambda: RULES[table](limits))
        result = self._validate(suite, f"{table}-{part:03d}", rows)
        verdicts: dict[int, Verdict] = {}
        order = {rule.meta["reason"]: place for place, rule in enumerate(suite.expectations)}
        outcomes = sorted(result.results, key=lambda o: order[o.expectation_config.meta["reason"]])
        for outcome in outcomes:
            refuse_rows(outcome, rows, verdicts)
        self._keep(result)
        return [verdicts[row] for row in sorted(verdicts)]

    def gate(self, facts: Mapping[str, float], *, limits: Limits) -> list[str]:
        """See ``Judge.gate``."""
        suite = self._suite("dataset", lambda: gate_rules(facts, limits))
        result = self._validate(suite, "dataset", pd.DataFrame([{**facts, "row": 0}]))
        self._keep(result)
        reasons = [o.expectation_config.meta["reason"] for o in result.results if not o.success]
        return sorted(reasons)

    def publish(self) -> str:
        """See ``Judge.publish``."""
        suites = [ExpectationSuiteIdentifier(name=name) for name in self._suites]
        self._forget_old_runs()
        self._context.build_data_docs(resource_identifiers=[*suites, *self._pages])
        return str(write_run_list(self._docs, self._results))

    def _suite(self, name: str, rules: Callable[[], list[Any]]) -> Any:
        if name not in self._suites:
            suite = gx.ExpectationSuite(name=name, expectations=rules())
            self._suites[name] = self._context.suites.add(suite)
        return self._suites[name]

    def _validate(self, suite: Any, name: str, frame: pd.DataFrame) -> Any:
        asset = self._frames.add_dataframe_asset(name)
        batch = asset.add_batch_definition_whole_dataframe("all")
        definition = self._context.validation_definitions.add(
            gx.ValidationDefinition(name=name, data=batch, suite=suite)
        )
        checkpoint = self._context.checkpoints.add(
            gx.Checkpoint(
                name=name, validation_definitions=[definition], result_format=RESULT_FORMAT
            )
        )
        outcome = checkpoint.run(batch_parameters={"dataframe": frame}, run_id=self._run)
        [(page, result)] = outcome.run_results.items()
        self._pages.append(page)
        return result

    def _keep(self, result: Any) -> None:
        """Store the result with a few examples only: it may name every row of a batch."""
        for outcome in result.results:
            for name, value in list(outcome.result.items()):
                if isinstance(value, list):
                    outcome.result[name] = [_harmless(part) for part in value[:_KEPT_EXAMPLES]]
        self._context.validation_results_store.set(self._pages[-1], result)

    def _forget_old_runs(self) -> None:
        for folder in (self._results, self._docs / "validations"):
            for suite in folder.iterdir() if folder.is_dir() else ():
                runs = (
                    sorted(path for path in suite.iterdir() if path.is_dir())
                    if suite.is_dir()
                    else []
                )
                for run in runs[:-_KEPT_RUNS]:
                    shutil.rmtree(run, ignore_errors=True)


def refuse_rows(outcome: Any, rows: pd.DataFrame, verdicts: dict[int, Verdict]) -> None:
    """Add the rows that one expectation did not expect, unless they have a reason already."""
    config = outcome.expectation_config
    if outcome.success:
        return
    found = outcome.result.get("unexpected_index_list")
    if found is None or len(found) != outcome.result["unexpected_count"]:
        problem = outcome.exception_info or "no rows named"
        raise DataContractError(f"quality: {config.type} could not be evaluated: {problem}")
    reason = config.meta["reason"]
    columns = config.kwargs.get("column_list") or [config.kwargs["column"]]
    seen: set[tuple[Any, ...]] = set()
    for place in sorted(int(entry["row"]) for entry in found):
        if place in verdicts:
            continue
        values = tuple(rows[column].iat[place] for column in columns)
        if reason in KEEPS_FIRST:
            key = tuple("" if pd.isna(value) else value for value in values)
            if key not in seen:
                seen.add(key)
                continue
        shown = config.meta["shows"] or columns[0]
        detail = _detail(shown, config.meta["expected"], rows[shown].iat[place])
        if reason == "duplicate_row":
            detail = f"row: expected {config.meta['expected']}"
        verdicts[place] = Verdict(row=place, reason=reason, detail=detail)


def _harmless(value: Any) -> Any:
    """A found value for a page: Data Docs put values into their HTML as they are."""
    if isinstance(value, str):
        return html.escape(value[:_KEPT_CHARS])
    if isinstance(value, dict):
        return {key: _harmless(part) for key, part in value.items()}
    return value


def _detail(column: str, expected: str, value: Any) -> str:
    if not expected:  # the value says itself what is wrong
        return str(value)
    text = "none" if pd.isna(value) else f"{value!s:.80}"
    return f"{column}: expected {expected}, got {text or 'an empty text'}"


def _config(docs: Path, results: Path) -> DataContextConfig:
    """A context in memory, but for the validation results, so that the site lists past runs."""
    stores: dict[str, Any] = {
        name: {"class_name": kind, "store_backend": {"class_name": "InMemoryStoreBackend"}}
        for name, kind in (
            ("expectations_store", "ExpectationsStore"),
            ("checkpoint_store", "CheckpointStore"),
            ("validation_definition_store", "ValidationDefinitionStore"),
        )
    }
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(results)}
    stores["validation_results_store"] = {
        "class_name": "ValidationResultsStore",
        "store_backend": {**backend, "filepath_suffix": ".json"},
    }
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {**backend, "base_directory": str(docs)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
    return DataContextConfig(
        expectations_store_name="expectations_store",
        checkpoint_store_name="checkpoint_store",
        validation_results_store_name="validation_results_store",
        stores=stores,
        data_docs_sites={_SITE: site},
        analytics_enabled=False,
        progress_bars={"globally": False},
    )
