"""MLflow: runs, logged models and the registry of releases; the only place that knows mlflow.

Importing this package, before mlflow itself is imported, switches MLflow's telemetry and its
chatter off and makes a server that does not answer fail in seconds; the environment wins
wherever it already says something else.
"""

from __future__ import annotations

import os
from typing import Final

_QUIET: Final = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "GIT_PYTHON_REFRESH": "quiet",
}

for _name, _value in _QUIET.items():
    os.environ.setdefault(_name, _value)
