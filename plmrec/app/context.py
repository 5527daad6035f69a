"""What every run needs: settings, parameters, the workspace, and the database when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from plmrec.errors import MissingStageError, ServiceUnavailableError
from plmrec.params import Params, load_params
from plmrec.settings import Settings, load_settings
from plmrec.stores.workspace import Workspace
from plmrec.types import StageReport

_VARIABLES: Final = {"database_url": "DATABASE_URL", "mlflow_tracking_uri": "MLFLOW_TRACKING_URI"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Settings, parameters and workspace of one run."""

    settings: Settings
    params: Params
    workspace: Workspace


def open_context(settings: Settings | None = None, params: Params | None = None) -> Context:
    """Build the context of a run from the environment, or from what is given.

    Raises:
        ParamsError: The environment or params.yaml is not valid.
    """
    settings = settings or load_settings()
    return Context(
        settings=settings,
        params=params or load_params(settings.params),
        workspace=Workspace(settings.workspace),
    )


def database_url(context: Context) -> str:
    """DSN of the database ``plmrec``: the one set, else the embedded server's.

    Raises:
        ServiceUnavailableError: None is set and no embedded server was ever started here.
    """
    if context.settings.database_url is not None:
        return context.settings.database_url.get_secret_value()
    return _endpoint(context, "database_url")


def tracking_uri(context: Context) -> str:
    """URI of the MLflow store: the one set, else the embedded server or its database.

    Raises:
        ServiceUnavailableError: None is set and no embedded store was ever started here.
    """
    return context.settings.mlflow_tracking_uri or _endpoint(context, "mlflow_tracking_uri")


def _endpoint(context: Context, name: str) -> str:
    """Read one address that the embedded platform wrote when it last started."""
    try:
        return str(context.workspace.read_json("platform", "endpoints.json")[name])
    except (MissingStageError, KeyError) as err:
        raise ServiceUnavailableError(
            f"platform: expected {name} in {context.workspace.root}, found none",
            hint=f"Start it with `plmrec up`, or set PLMREC_{_VARIABLES[name]}",
        ) from err


def save_report(context: Context, report: StageReport) -> dict[str, object]:
    """Keep a stage's last report in the workspace and return it as a dict."""
    values = report.as_dict()
    context.workspace.write_json(values, "reports", f"{report.stage}.json")
    return values
