"""Airflow on a metadata database of its own, with the repository's dags and plugins."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# Airflow reads its configuration when it is first imported, so this cannot wait for a fixture.
ROOT = Path(__file__).parents[2]
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="plmrec-airflow-")
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(ROOT / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(ROOT / "plugins")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "false"
os.environ["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] = "false"
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
