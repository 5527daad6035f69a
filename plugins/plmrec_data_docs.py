"""Serves the Data Docs of the workspace below ``/plmrec/data-docs``, behind Airflow's own login."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.plugins_manager import AirflowPlugin
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse

app = FastAPI(title="plmrec Data Docs", docs_url=None, redoc_url=None, openapi_url=None)


@app.get("/{page:path}")
def read_page(page: str, user: GetUserDep) -> FileResponse:
    """One page or style sheet; the folder of the pages is never left."""
    workspace = Path(os.environ.get("PLMREC_WORKSPACE", ".plmrec"))
    root = (workspace / "reports" / "data_docs").resolve()
    target = (root / (page or "runs.html")).resolve()
    if not target.is_relative_to(root) or not target.is_file():
        raise HTTPException(404, "no such page of the Data Docs")
    return FileResponse(target)


class PlmrecDataDocs(AirflowPlugin):
    """Adds the pages to the API server, and an entry to its navigation."""

    name = "plmrec_data_docs"
    fastapi_apps = [  # noqa: RUF012 (the attribute of the base class)
        {"app": app, "url_prefix": "/plmrec/data-docs", "name": "plmrec Data Docs"}
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "Data Docs",
            "href": "/plmrec/data-docs/runs.html",
            "destination": "nav",
            "category": "browse",
            "url_route": "plmrec-data-docs",
        }
    ]
