"""A release's life in PostgreSQL and its mirror in MLflow agree, also after a crash between."""

from __future__ import annotations

import pytest

from plmrec.errors import DataContractError
from plmrec.releases.life import ABANDONED, MODEL, ReleaseLife
from plmrec.stores.database import migrate, open_database
from plmrec.stores.generations import roll_back
from plmrec.stores.releases import Release, ReleaseStore

pytestmark = pytest.mark.integration


class Crash(Exception):
    """The process dies here."""


class CrashingMirror:
    """A registry that dies at its first write."""

    def __init__(self, registry):
        self._registry = registry

    def versions(self):
        return self._registry.versions()

    def aliases(self):
        return self._registry.aliases()

    def set_alias(self, alias, version):
        raise Crash

    delete_alias = tag = describe = set_alias


@pytest.fixture
def store(database_dsn):
    with open_database(database_dsn) as pool:
        yield ReleaseStore(pool)


@pytest.fixture
def registry(mlflow_uri):
    from plmrec.tracking.connection import connect
    from plmrec.tracking.registry import Registry

    found = Registry(connect(mlflow_uri), MODEL)
    found.ensure("releases")
    return found


def register(store, registry, *, digest="r", inputs="i"):
    version = registry.add(source="file:///nowhere", run_id=None, model_id=None, tags={})
    store.add(
        Release(
            version=version,
            dataset_digest="d",
            encoder_fingerprint="e",
            recommender_digest=digest,
            input_digest=inputs,
            mlflow_run_id="run",
        )
    )
    return version


def states(store):
    return {release.version: release.state for release in store.all()}


class TestLife:
    def test_a_candidate_becomes_challenger_then_champion_and_aliases_follow(self, store, registry):
        life = ReleaseLife(store, registry)
        first = register(store, registry)
        assert states(store) == {first: "candidate"}
        life.challenge(first)
        assert registry.aliases() == {"challenger": first}
        assert life.promote(first, {"verdict": "promote", "reasons": ["the first"]}) is None
        assert registry.aliases() == {"champion": first}
        tags = registry.versions()[first].tags
        assert (tags["state"], tags["gate.status"]) == ("champion", "promote")

    def test_a_promotion_retires_the_old_champion_and_names_it_previous(self, store, registry):
        life = ReleaseLife(store, registry)
        first, second = register(store, registry), register(store, registry)
        for version in (first, second):
            life.challenge(version)
            life.promote(version, {"verdict": "promote"})
        assert states(store) == {first: "retired", second: "champion"}
        assert registry.aliases() == {"champion": second, "previous": first}

    def test_a_rejected_challenger_is_retired_and_keeps_its_reasons(self, store, registry):
        life = ReleaseLife(store, registry)
        version = register(store, registry)
        life.challenge(version)
        life.decide(version, {"verdict": "reject", "reasons": ["worse"]}, retire=True)
        assert states(store) == {version: "retired"}
        assert registry.aliases() == {}
        assert store.get(version).decision["reasons"] == ["worse"]

    def test_a_new_challenger_retires_the_one_before(self, store, registry):
        life = ReleaseLife(store, registry)
        first, second = register(store, registry), register(store, registry)
        life.challenge(first)
        life.challenge(second)
        assert states(store) == {first: "retired", second: "challenger"}
        assert store.get(first).decision == {"verdict": "superseded", "by": second}

    def test_a_champion_cannot_be_made_challenger_by_mistake(self, store, registry):
        life = ReleaseLife(store, registry)
        version = register(store, registry)
        life.promote(version, {"verdict": "promote"})
        life.challenge(version)
        assert states(store) == {version: "champion"}

    def test_an_unknown_version_is_refused(self, store, registry):
        with pytest.raises(DataContractError, match="expected version 9"):
            ReleaseLife(store, registry).promote(9, {})


class TestReconcile:
    def test_a_promotion_that_died_before_the_alias_move_is_finished(self, store, registry):
        first, second = register(store, registry), register(store, registry)
        ReleaseLife(store, registry).promote(first, {"verdict": "promote"})
        with pytest.raises(Crash):
            ReleaseLife(store, CrashingMirror(registry)).promote(second, {"verdict": "promote"})
        assert states(store)[second] == "champion"
        assert registry.aliases()["champion"] == first

        notes = ReleaseLife(store, registry).reconcile()
        assert registry.aliases() == {"champion": second, "previous": first}
        assert f"alias champion names version {second}" in notes
        assert ReleaseLife(store, registry).reconcile() == []

    def test_a_version_without_a_release_is_tagged_abandoned(self, store, registry):
        version = registry.add(source="file:///nowhere", run_id=None, model_id=None, tags={})
        ReleaseLife(store, registry).reconcile()
        assert registry.versions()[version].tags["state"] == ABANDONED

    def test_an_alias_that_someone_moved_by_hand_is_moved_back(self, store, registry):
        first, second = register(store, registry), register(store, registry)
        life = ReleaseLife(store, registry)
        life.promote(first, {"verdict": "promote"})
        registry.set_alias("champion", second)
        registry.set_alias("challenger", second)
        life.reconcile()
        assert registry.aliases() == {"champion": first}

    def test_a_release_that_mlflow_lost_is_reported(self, store, registry):
        store.add(
            Release(
                version=7,
                dataset_digest="d",
                encoder_fingerprint="e",
                recommender_digest="r",
                input_digest="i",
                mlflow_run_id="run",
            )
        )
        assert ReleaseLife(store, registry).reconcile() == ["release 7 is missing in MLflow"]


class TestTaxonomy:
    def test_of_a_release_is_kept_and_mirrored(self, store, registry):
        version = registry.add(source="file:///nowhere", run_id=None, model_id=None, tags={})
        known = {"dataset_digest": "d", "encoder_fingerprint": "e", "recommender_digest": "r"}
        store.add(
            Release(
                version=version,
                **known,
                input_digest="i",
                mlflow_run_id="run",
                taxonomy_version=3,
                taxonomy_digest="7a90",
            )
        )
        found = store.get(version)
        assert (found.taxonomy_version, found.taxonomy_digest) == (3, "7a90")
        ReleaseLife(store, registry).reconcile()
        tags = registry.versions()[version].tags
        assert (tags["taxonomy_version"], tags["taxonomy_digest"]) == ("3", "7a90")

    def test_a_release_without_one_has_none_and_no_tags_of_it(self, store, registry):
        version = register(store, registry)
        found = store.get(version)
        assert (found.taxonomy_version, found.taxonomy_digest) == (None, None)
        ReleaseLife(store, registry).reconcile()
        assert "taxonomy_version" not in registry.versions()[version].tags

    def test_releases_of_a_database_from_before_there_was_one_stay(self, database_dsn):
        import psycopg

        with psycopg.connect(database_dsn, autocommit=True) as conn:
            migrate(conn)
            conn.execute("SET search_path = plmrec, public")
            conn.execute("ALTER TABLE release DROP COLUMN taxonomy_version")
            conn.execute("ALTER TABLE release DROP COLUMN taxonomy_digest")
            conn.execute("DELETE FROM migration WHERE name = '0002_taxonomy.sql'")
            conn.execute(
                "INSERT INTO release (version, dataset_digest, encoder_fingerprint,"
                " recommender_digest, input_digest, mlflow_run_id)"
                " VALUES (41, 'd', 'e', 'r', 'i', 'run')"
            )
        with open_database(database_dsn) as pool:
            assert ReleaseStore(pool).get(41).taxonomy_version is None


class TestPrevious:
    def go_live(self, pool, version):
        with pool.connection() as conn:
            conn.execute(
                "WITH made AS (INSERT INTO generation (release_version, encoder_fingerprint, dim,"
                " digest, status) VALUES (%s, 'e', 2, 'd', 'ready') RETURNING generation_id)"
                " INSERT INTO live (generation_id) SELECT generation_id FROM made"
                " ON CONFLICT (one) DO UPDATE SET generation_id = EXCLUDED.generation_id,"
                " previous_id = live.generation_id",
                (version,),
            )

    def test_is_what_a_rollback_brings_back_before_and_after_it(
        self, store, registry, database_dsn
    ):
        first, second = register(store, registry), register(store, registry)
        life = ReleaseLife(store, registry)
        with open_database(database_dsn) as pool:
            life.promote(first, {"verdict": "promote"})
            self.go_live(pool, first)
            life.promote(second, {"verdict": "promote"})
            assert registry.aliases() == {"champion": second, "previous": first}
            self.go_live(pool, second)
            life.reconcile()
            assert registry.aliases() == {"champion": second, "previous": first}
            roll_back(pool)
            life.reconcile()
        assert registry.aliases() == {"champion": first, "previous": second}
        assert not store.is_due_again(second)

    def test_a_replaced_release_whose_inputs_came_back_is_judged_again_a_rejected_one_not(
        self, store, registry
    ):
        life = ReleaseLife(store, registry)
        first, second, third = (register(store, registry) for _ in range(3))
        life.promote(first, {"verdict": "promote"})
        life.decide(second, {"verdict": "reject"}, retire=True)
        life.promote(third, {"verdict": "promote"})
        assert store.is_due_again(first)
        assert not store.is_due_again(second)
        assert not store.is_due_again(third)


class TestEncoders:
    def test_aliases_of_encoders_follow_the_releases_that_use_them(
        self, store, registry, mlflow_uri
    ):
        from plmrec.tracking.connection import connect
        from plmrec.tracking.registry import Registry

        encoders = Registry(connect(mlflow_uri), "plmrec-encoder")
        encoders.ensure("encoders")
        for fingerprint in ("other", "e"):
            encoders.add(
                source="file:///x", run_id=None, model_id=None, tags={"fingerprint": fingerprint}
            )
        ReleaseLife(store, registry, encoders).promote(register(store, registry), {})
        assert encoders.aliases() == {"champion": 2}


class TestStore:
    def test_writing_a_release_twice_changes_nothing(self, store, registry):
        version = register(store, registry)
        store.add(store.get(version))
        assert len(store.all()) == 1

    def test_a_version_taken_by_another_recommender_is_refused(self, store, registry):
        version = register(store, registry)
        other = Release(
            version=version,
            dataset_digest="d",
            encoder_fingerprint="e",
            recommender_digest="other",
            input_digest="i",
            mlflow_run_id="run",
        )
        with pytest.raises(DataContractError, match="it is taken"):
            store.add(other)

    def test_the_newest_release_from_the_same_inputs_is_found(self, store, registry):
        register(store, registry, inputs="a")
        second = register(store, registry, inputs="a")
        register(store, registry, inputs="b")
        found = store.made_from("a")
        assert found is not None
        assert found.version == second
        assert store.made_from("c") is None
