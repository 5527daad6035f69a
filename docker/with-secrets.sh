#!/bin/sh
# Turns secret files into the environment of one process; nothing secret stands in compose files or argv.
set -eu
password=$(cat /run/secrets/database_password)
export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg2://plmrec:${password}@postgres:5432/airflow"
export AIRFLOW__CELERY__RESULT_BACKEND="db+postgresql://plmrec:${password}@postgres:5432/airflow"
export PLMREC_DATABASE_URL="postgresql://plmrec:${password}@postgres:5432/plmrec"
AIRFLOW__API_AUTH__JWT_SECRET=$(cat /run/secrets/airflow_jwt_secret)
AIRFLOW__CORE__FERNET_KEY=$(cat /run/secrets/airflow_fernet_key)
export AIRFLOW__API_AUTH__JWT_SECRET AIRFLOW__CORE__FERNET_KEY
exec "$@"
