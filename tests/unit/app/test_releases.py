from __future__ import annotations

import stat
from pathlib import Path

from pydantic import SecretStr

from plmrec.app.context import open_context
from plmrec.app.releases import artifact_root, pseudonym_key
from plmrec.digests import pseudonymise


def context_of(settings, **changes):
    return open_context(settings.model_copy(update=changes))


def test_artifacts_lie_in_the_workspace_unless_a_server_decides(tmp_settings):
    workspace = Path(tmp_settings.workspace)
    direct = context_of(tmp_settings, mlflow_tracking_uri="postgresql+psycopg2://h/mlflow")
    assert artifact_root(direct) == (workspace / "mlflow" / "artifacts").as_uri()
    assert artifact_root(context_of(tmp_settings, mlflow_tracking_uri="http://h:5000")) is None


def test_the_key_of_pseudonyms_is_made_once_for_its_owner_only(tmp_settings):
    context = context_of(tmp_settings)
    key = pseudonym_key(context)
    assert pseudonym_key(context) == key
    file = Path(tmp_settings.workspace) / "platform" / "pseudonym.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["pseudonym.key"]


def test_a_key_of_ones_own_is_used(tmp_settings):
    assert pseudonym_key(context_of(tmp_settings, pseudonym_key=SecretStr("mine"))) == "mine"


def test_pseudonyms_differ_by_user_and_key_and_do_not_show_the_user():
    assert pseudonymise("anna", "k") != pseudonymise("bert", "k")
    assert pseudonymise("anna", "k") != pseudonymise("anna", "l")
    assert "anna" not in pseudonymise("anna", "k")
