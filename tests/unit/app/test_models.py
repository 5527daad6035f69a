from __future__ import annotations

import pytest

from plmrec.app.models import ask, fit_model
from plmrec.errors import ParamsError
from tests.support.tastes import make_data


@pytest.mark.parametrize("backend", ["popularity", "ease", "content", "carried"])
def test_three_lines_from_data_to_lists(backend: str):
    data = make_data()
    model = fit_model(backend, data)
    lists = ask(model, data, ["u003", "u001"], k=4)
    assert list(lists) == ["u003", "u001"]
    seen = {data.catalogue.item_ids[item] for item in data.histories.block(3, 4).items}
    assert len(lists["u003"]) == 4
    assert seen.isdisjoint(lists["u003"])


def test_a_user_of_one_taste_is_given_it():
    data = make_data()
    lists = ask(fit_model("ease", data, l2=20.0), data, ["u002"], k=2)
    assert {int(item[1:]) % 4 for item in lists["u002"]} == {2}


def test_a_user_who_did_nothing_is_named():
    data = make_data()
    with pytest.raises(ParamsError, match="nobody"):
        ask(fit_model("popularity", data), data, ["nobody"])


def test_options_are_checked():
    with pytest.raises(ParamsError, match="l3"):
        fit_model("ease", make_data(), l3=1.0)
