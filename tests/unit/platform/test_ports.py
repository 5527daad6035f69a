"""Ports: remembered, usual, or the next free one."""

from __future__ import annotations

import socket

import pytest

from plmrec.platform.ports import PortChooser, is_free

HOST = "127.0.0.1"


@pytest.fixture
def taken():
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_taken_port_is_skipped(taken):
    assert not is_free(HOST, taken)
    with PortChooser(HOST) as chooser:
        port = chooser.choose(usual=taken)
    assert port > taken
    assert is_free(HOST, port)


def test_the_remembered_port_comes_first_while_it_is_free(taken):
    with PortChooser(HOST) as chooser:
        free = chooser.choose(usual=taken)
    with PortChooser(HOST) as chooser:
        assert chooser.choose(usual=taken, remembered=free) == free
    with PortChooser(HOST) as chooser:
        assert chooser.choose(usual=free, remembered=taken) == free


def test_two_that_choose_at_the_same_time_do_not_choose_the_same(taken):
    with PortChooser(HOST) as first, PortChooser(HOST) as second:
        ports = [chooser.choose(usual=taken) for chooser in (first, second, first)]
    assert len(set(ports)) == 3
