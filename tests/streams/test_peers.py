from __future__ import annotations

import asyncio
import os
import socket
from types import SimpleNamespace

import pytest

from pyopenshell.streams.peers import Peer, peer_of


def transport(**info: object) -> asyncio.BaseTransport:
    return asyncio.BaseTransport(info)


def test_a_unix_peer_is_its_uid() -> None:
    one, two = socket.socketpair()
    with one, two:
        assert peer_of(transport(socket=one, peername="")) == Peer(None, os.getuid(), "unix")


def test_where_the_system_cannot_tell_nobody_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_PEERCRED")
    one, two = socket.socketpair()
    with one, two:
        assert peer_of(transport(socket=one)).unix_uid is None


def test_a_tcp_peer_is_its_address_and_certificate() -> None:
    session = SimpleNamespace(getpeercert=lambda binary_form: b"der" if binary_form else {})
    with socket.socket() as sock:
        assert peer_of(transport(socket=sock, peername=("127.0.0.1", 5))) == Peer(None, None, "127.0.0.1:5")
        peer = peer_of(transport(socket=sock, peername=("::1", 5, 0, 0), ssl_object=session))
        assert peer == Peer(b"der", None, "::1:5")
        assert peer_of(transport(socket=sock)).address == ""
