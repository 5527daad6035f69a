"""Releases in PostgreSQL: what each was made of, its state, and who is champion."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from plmrec.errors import DataContractError
from plmrec.stores.database import Connection, Pool

_COLUMNS: Final = (
    "version, state, dataset_digest, encoder_fingerprint, recommender_digest, input_digest,"
    " taxonomy_version, taxonomy_digest, mlflow_run_id, git_commit, airflow_run, metrics,"
    " decision, created_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One row of the table ``release``.

    Attributes:
        version: Version of the registered model ``plmrec``.
        state: ``candidate``, ``challenger``, ``champion`` or ``retired``.
        dataset_digest: DVC digest of the accepted dataset.
        encoder_fingerprint: Of the encoder whose vectors it was fitted on.
        recommender_digest: Of the fitted state.
        input_digest: Of everything training read, its code and parameters included.
        taxonomy_version: Of the interest tags its items had; None when they had none.
        taxonomy_digest: Of the tags and their vectors; None likewise.
        mlflow_run_id: The training run.
        git_commit: Of the code that trained it; empty when unknown.
        airflow_run: DAG and run that trained it; empty outside Airflow.
        metrics: Numbers by name, from training.
        decision: Verdict of the promotion policy and its reasons; empty before evaluation.
        created_at: When the row was written; None before that.
    """

    version: int
    state: str = "candidate"
    dataset_digest: str
    encoder_fingerprint: str
    recommender_digest: str
    input_digest: str
    mlflow_run_id: str
    git_commit: str = ""
    airflow_run: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    decision: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    taxonomy_version: int | None = None
    taxonomy_digest: str | None = None


class ReleaseStore:
    """The table ``release``; each change of state is one transaction."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def add(self, release: Release) -> None:
        """Write a new release in state ``candidate``; writing the same one twice changes nothing.

        Raises:
            DataContractError: Its version is taken by a release with another recommender.
        """
        with self._pool.connection() as conn:
            row = conn.execute(
                "INSERT INTO release (version, dataset_digest, encoder_fingerprint,"
                " recommender_digest, input_digest, mlflow_run_id, git_commit, airflow_run,"
                " metrics, taxonomy_version, taxonomy_digest)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (version) DO UPDATE SET version = release.version"
                " RETURNING recommender_digest, mlflow_run_id",
                (
                    release.version,
                    release.dataset_digest,
                    release.encoder_fingerprint,
                    release.recommender_digest,
                    release.input_digest,
                    release.mlflow_run_id,
                    release.git_commit,
                    release.airflow_run,
                    Jsonb(release.metrics),
                    release.taxonomy_version,
                    release.taxonomy_digest,
                ),
            ).fetchone()
        if row != (release.recommender_digest, release.mlflow_run_id):
            raise DataContractError(
                f"release: expected version {release.version} to be new, it is taken",
                hint="The MLflow registry was reset; give it back or start with a new database",
            )

    def get(self, version: int) -> Release:
        """Return one release.

        Raises:
            DataContractError: There is none of this version.
        """
        found = self._select("WHERE version = %s", version)
        if not found:
            raise DataContractError(
                f"release: expected version {version}, found none",
                hint="See the versions with `plmrec releases`",
            )
        return found[0]

    def all(self) -> list[Release]:
        """Return all releases, newest first."""
        return self._select("")

    def in_state(self, state: str) -> Release | None:
        """Return the newest release in a state, if any."""
        found = self._select("WHERE state = %s", state)
        return found[0] if found else None

    def made_from(self, input_digest: str) -> Release | None:
        """Return the newest release that was trained on exactly these inputs, if any."""
        found = self._select("WHERE input_digest = %s", input_digest)
        return found[0] if found else None

    def is_due_again(self, version: int) -> bool:
        """Tell whether a retired release, whose inputs came back, deserves to be judged again.

        It does when others were made since and it was only replaced; not when it was rejected or
        rolled back.
        """
        with self._pool.connection() as conn:
            row = conn.execute(
                "SELECT state = 'retired' AND version < (SELECT max(version) FROM release)"
                " AND coalesce(decision ->> 'verdict', '') IN ('', 'promote', 'superseded')"
                " FROM release WHERE version = %s",
                (version,),
            ).fetchone()
        return bool(row and row[0])

    def previous(self) -> int | None:
        """Version of the release that a rollback would bring back, if any.

        It is the one behind the live generation or the generation kept beside it, if that is
        not the champion; before any generation is live, the champion before this one.
        """
        with self._pool.connection() as conn:
            row = conn.execute(
                "SELECT coalesce("
                " (SELECT g.release_version FROM live l JOIN generation g"
                "  ON g.generation_id IN (l.generation_id, l.previous_id)"
                "  WHERE g.release_version <> c.version"
                "  ORDER BY g.generation_id = l.generation_id DESC LIMIT 1),"
                " (c.decision ->> 'previous')::integer)"
                " FROM release c WHERE c.state = 'champion'"
            ).fetchone()
        return None if row is None or row[0] is None else int(row[0])

    def challenge(self, version: int) -> list[int]:
        """Make a release the one challenger; a champion stays what it is.

        Returns:
            Versions of challengers that it replaces; they are retired.
        """
        with self._pool.connection() as conn:
            self._lock(conn, version)
            replaced = conn.execute(
                "UPDATE release SET state = 'retired', decision = decision || %s"
                " WHERE state = 'challenger' AND version <> %s RETURNING version",
                (Jsonb({"verdict": "superseded", "by": version}), version),
            ).fetchall()
            conn.execute(
                "UPDATE release SET state = 'challenger', decision = '{}'"
                " WHERE version = %s AND state NOT IN ('challenger', 'champion')",
                (version,),
            )
        return [int(row[0]) for row in replaced]

    def crown(self, version: int, decision: dict[str, Any]) -> int | None:
        """Make a release the champion and retire the champion before it.

        Args:
            version: The new champion; it may be the old one, then nothing is retired.
            decision: Why; ``previous`` is added, the version it replaces.

        Returns:
            Version of the champion before it, None when there was none.
        """
        with self._pool.connection() as conn:
            self._lock(conn, version)
            row = conn.execute(
                "UPDATE release SET state = 'retired'"
                " WHERE state = 'champion' AND version <> %s RETURNING version",
                (version,),
            ).fetchone()
            previous = int(row[0]) if row else None
            noted = decision if previous is None else {**decision, "previous": previous}
            conn.execute(
                "UPDATE release SET state = 'champion', decision ="
                " jsonb_strip_nulls(jsonb_build_object('previous', decision -> 'previous')) || %s"
                " WHERE version = %s",
                (Jsonb(noted), version),
            )
        return previous

    def decide(self, version: int, decision: dict[str, Any], *, retire: bool) -> None:
        """Write a verdict on a release, and retire it if the verdict is against it."""
        with self._pool.connection() as conn:
            self._lock(conn, version)
            conn.execute(
                "UPDATE release SET decision ="
                " jsonb_strip_nulls(jsonb_build_object('previous', decision -> 'previous')) || %s,"
                " state = CASE WHEN %s THEN 'retired' ELSE state END WHERE version = %s",
                (Jsonb(decision), retire, version),
            )

    def _lock(self, conn: Connection, version: int) -> None:
        """Let one change of state happen at a time, and refuse one on an unknown release."""
        conn.execute("LOCK TABLE release IN SHARE ROW EXCLUSIVE MODE")
        if conn.execute("SELECT 1 FROM release WHERE version = %s", (version,)).fetchone() is None:
            raise DataContractError(f"release: expected version {version}, found none")

    def _select(self, condition: str, *values: Any) -> list[Release]:
        query = f"SELECT {_COLUMNS} FROM release {condition} ORDER BY version DESC"  # noqa: S608
        with self._pool.connection() as conn, conn.cursor(row_factory=class_row(Release)) as cur:
            return cur.execute(query.encode(), values).fetchall()
