"""What every plmrec DAG shares: the assets, the retries, the defaults, and the one operator."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from airflow.sdk import (
    Asset,
    AsyncCallback,
    BaseOperator,
    BaseOperatorLink,
    BaseXCom,
    DeadlineAlert,
    DeadlineReference,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
)

log = logging.getLogger(__name__)

INGEST = Asset("plmrec_ingest", uri="plmrec://ingest", group="plmrec")
DATASET = Asset("plmrec_dataset", uri="plmrec://dataset", group="plmrec")
TRANSCRIPTS = Asset("plmrec_transcripts", uri="plmrec://transcripts", group="plmrec")
EMBEDDINGS = Asset("plmrec_embeddings", uri="plmrec://embeddings", group="plmrec")
CHALLENGER = Asset("plmrec_challenger", uri="plmrec://challenger", group="plmrec")
CHAMPION = Asset("plmrec_champion", uri="plmrec://champion", group="plmrec")
INDEX = Asset("plmrec_index", uri="plmrec://index", group="plmrec")

DATA_DOCS_URL = "/plmrec/data-docs"  # where plmrec_data_docs serves them

RETRIES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            "plmrec.errors.PermanentError",
            action=RetryAction.FAIL,
            reason="a retry without a change would fail again",
        ),
        RetryRule("plmrec.errors.TransientError", retry_delay=timedelta(seconds=30)),
    ]
)


async def report_late_run(**kwargs: Any) -> None:
    """Log a DAG run that missed its deadline; a deployment replaces it with its notifier."""
    log.error("a plmrec DAG run missed its deadline: %s", kwargs.get("context", {}).get("dag_run"))


def dag_defaults(deadline: timedelta) -> dict[str, Any]:
    """Arguments that every plmrec DAG passes to ``@dag``.

    Args:
        deadline: Time from queueing after which a run is reported as late; after four times as
            long it is stopped.
    """
    return {
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": 4 * deadline,
        "deadline": DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=deadline,
            callback=AsyncCallback(report_late_run),
        ),
        "tags": ["plmrec"],
        "is_paused_upon_creation": False,
        "default_args": {"owner": "plmrec", "retries": 3, "retry_policy": RETRIES},
    }


class _ReportLink(BaseOperatorLink):
    """Links to a URL that the task's report carries."""

    label: ClassVar[str]
    field: ClassVar[str]

    @property
    def name(self) -> str:
        return self.label

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        report = BaseXCom.get_value(ti_key=ti_key, key="return_value")
        return str(report.get(self.field) or "") if isinstance(report, dict) else ""


class MlflowRunLink(_ReportLink):
    """Opens the MLflow run that the task logged."""

    label = "MLflow run"
    field = "mlflow_url"


class DataDocsLink(_ReportLink):
    """Opens the Data Docs page of the task's validation."""

    label = "Data Docs"
    field = "data_docs"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Address of the page behind the login of Airflow."""
        page = super().get_link(operator, ti_key=ti_key)  # relative to the workspace
        return page.replace("reports/data_docs/", f"{DATA_DOCS_URL}/") if page else ""


class StageOperator(BaseOperator):
    """Calls one function of ``plmrec.app``; its report becomes the XCom and the asset event.

    Args:
        call: Module and function below ``plmrec.app``, such as ``embed.embed_shard``.
        arguments: Keyword arguments of the call: strings, numbers, lists and dicts of them.
    """

    template_fields: Sequence[str] = ("arguments",)
    operator_extra_links = (MlflowRunLink(), DataDocsLink())
    ui_color = "#e8f0e4"

    def __init__(
        self, *, call: str, arguments: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.call = call
        self.arguments = dict(arguments or {})

    def execute(self, context: Any) -> Any:
        """Run the call; see the class."""
        module, _, function = self.call.partition(".")
        run = getattr(importlib.import_module(f"plmrec.app.{module}"), function)
        report = run(**{key: _plain(value) for key, value in self.arguments.items()})
        extra = {"retrain": retrain_requested(context)}
        if isinstance(report, dict):
            extra |= {key: value for key, value in report.items() if _is_small(value)}
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = extra
        return report


def _shard_arguments(shard: str) -> dict[str, str]:
    return {"shard": shard}


def map_shards(plan: StageOperator, *, task_id: str, call: str, pool: str) -> Any:
    """One task for each shard that a plan lists; ``output`` of the result holds their reports.

    Args:
        plan: Returns the names of shards.
        task_id: Of the mapped task.
        call: Takes the argument ``shard``; see StageOperator.
        pool: That bounds how many run at once.
    """
    return StageOperator.partial(
        task_id=task_id,
        call=call,
        pool=pool,
        map_index_template="{{ task.arguments['shard'] }}",
    ).expand(arguments=plan.output.map(_shard_arguments))


def retrain_requested(context: Any) -> bool:
    """Tell whether this run, or one of the runs whose assets triggered it, asked to retrain."""
    if context["params"].get("retrain"):
        return True
    events = context.get("triggering_asset_events") or {}
    return any(event.extra.get("retrain") for found in events.values() for event in found)


def _plain(value: Any) -> Any:
    """Turn the lazy sequence of a mapped task's results into a list."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _is_small(value: Any) -> bool:
    return isinstance(value, int | float | bool) or (isinstance(value, str) and len(value) <= 200)
