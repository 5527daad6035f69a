"""The connection to MLflow, and MLflow's errors in our words."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient

from plmrec.errors import DataContractError, ServiceUnavailableError

_TIMEOUT_S: Final = 5
_RETRY_HELPS: Final = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"}
_HINT: Final = "Start it with `plmrec up`, or correct PLMREC_MLFLOW_TRACKING_URI"

logging.getLogger("alembic").setLevel(logging.WARNING)


def connect(uri: str) -> MlflowClient:
    """Open MLflow at a server's URL or directly at its database.

    Args:
        uri: ``http(s)://…`` of a server, or ``postgresql+psycopg2://…`` or ``sqlite:///…`` of a
            database store; a missing schema is created.

    Raises:
        ServiceUnavailableError: Nothing answers within 5 s; MLflow itself would try for minutes.
    """
    if uri.startswith(("http://", "https://")):
        _probe_server(uri)
    elif uri.startswith("postgresql"):
        _probe_database(uri)
    with translated("connect"):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turn MLflow's one exception class into ours, by what a retry can help.

    Args:
        action: What is being done, for the message.

    Raises:
        ServiceUnavailableError: The server or its database failed; trying again may help.
        DataContractError: MLflow refused the request.
    """
    try:
        yield
    except MlflowException as err:
        message = f"mlflow: {action}: {str(err).strip()[:300]}"
        if err.error_code in _RETRY_HELPS:
            raise ServiceUnavailableError(message, hint=_HINT) from err
        raise DataContractError(message) from err


def _probe_server(uri: str) -> None:
    request = urllib.request.Request(f"{uri.rstrip('/')}/health")  # noqa: S310 - http(s) only
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
            return
    except urllib.error.HTTPError:
        return  # it answers; a server that asks for credentials may refuse /health
    except (OSError, ValueError) as err:
        raise ServiceUnavailableError(
            f"mlflow: expected a server at {uri}, got no answer", hint=_HINT
        ) from err


def _probe_database(uri: str) -> None:
    engine = sqlalchemy.create_engine(uri, connect_args={"connect_timeout": _TIMEOUT_S})
    try:
        with engine.connect():
            return
    except sqlalchemy.exc.OperationalError as err:
        raise ServiceUnavailableError(
            "mlflow: expected its database in PostgreSQL, got no answer", hint=_HINT
        ) from err
    finally:
        engine.dispose()
