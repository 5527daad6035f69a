"""Where a result came from: the commit of the code and the Airflow run, as far as known."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import plmrec


def git_commit() -> str:
    """Commit of the code that runs; ``-dirty`` is added when files differ from it.

    ``PLMREC_GIT_COMMIT`` names it where the code runs without its repository, as in an image.

    Returns:
        Empty when unknown.
    """
    named = os.environ.get("PLMREC_GIT_COMMIT")
    if named:
        return named
    root = Path(plmrec.__file__).parents[1]
    if not (root / ".git").exists():
        return ""
    commit = _git(root, "rev-parse", "HEAD")
    is_dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    return f"{commit}-dirty" if commit and is_dirty else commit


def airflow_run() -> str:
    """DAG and run of the Airflow task that this is, as ``<dag_id>/<run_id>``; else empty."""
    dag_id = os.environ.get("AIRFLOW_CTX_DAG_ID", "")
    run_id = os.environ.get("AIRFLOW_CTX_DAG_RUN_ID", "")
    return f"{dag_id}/{run_id}" if run_id else ""


def _git(root: Path, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    done = subprocess.run(  # noqa: S603 - fixed arguments
        [git, "-C", str(root), *arguments], capture_output=True, text=True, timeout=20, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""
