"""URLs of the embedded server."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest

from plmrec.errors import ParamsError
from plmrec.platform.postgres import own_address, server_url, with_database


def test_a_password_with_any_characters_survives_the_url():
    url = server_url(host="127.0.0.1", port=5432, password="a/b@c:d%")
    assert unquote(urlsplit(url).password) == "a/b@c:d%"
    assert urlsplit(url).hostname == "127.0.0.1"


def test_an_ipv6_address_is_in_brackets():
    assert urlsplit(server_url(host="::1", port=1, password="p")).hostname == "::1"


def test_another_database_and_driver_on_the_same_server():
    url = with_database("postgres://u:p@h:5/plmrec", "mlflow", driver="psycopg2")
    assert url == "postgresql+psycopg2://u:p@h:5/mlflow"


def test_another_kind_of_database_is_refused():
    with pytest.raises(ParamsError, match="postgresql://"):
        with_database("sqlite:///x.db", "mlflow")


def test_a_server_that_listens_everywhere_is_reached_on_this_machine():
    assert own_address("0.0.0.0") == "127.0.0.1"
    assert own_address("10.1.2.3") == "10.1.2.3"
