#!/bin/sh
# Starts the tracking server; the database password comes from a file, never from the command line.
set -eu
password=$(cat "${MLFLOW_DB_PASSWORD_FILE:?}")
MLFLOW_BACKEND_STORE_URI="postgresql+psycopg2://plmrec:${password}@${MLFLOW_DB_HOST:-postgres}:5432/mlflow"
export MLFLOW_BACKEND_STORE_URI
exec mlflow server --host 0.0.0.0 --port 5000 --serve-artifacts \
    --artifacts-destination "${MLFLOW_ARTIFACTS:-/artifacts}" --workers 1
