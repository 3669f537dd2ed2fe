"""Listening sockets: modes, dead sockets, long paths, and what cannot be made."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.sockets import listen_tcp, listen_unix, remove


def test_any_port() -> None:
    with listen_tcp("127.0.0.1", 0) as sock:
        assert sock.getsockname()[1] > 0
        assert not sock.getblocking()


@pytest.mark.parametrize(("host", "families"), [("::", 2), ("::1", 1)])
def test_all_addresses_are_those_of_both_families(host: str, families: int) -> None:
    with listen_tcp(host, 0) as sock:
        sock.listen()
        address = sock.getsockname()[:2]
        reached = []
        for family, loopback in ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")):
            with socket.socket(family) as near:
                reached.append(near.connect_ex((loopback, address[1])) == 0)
        assert sum(reached) == families
        assert reached[0]


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OpenShellError) as caught:
        listen_tcp("127.0.0.1", taken.getsockname()[1])
    assert caught.value.code is Code.CONFLICT


def test_an_address_of_somebody_else() -> None:
    with pytest.raises(OpenShellError) as caught:
        listen_tcp("192.0.2.1", 0)
    assert caught.value.code is Code.PRECONDITION


@pytest.mark.parametrize("depth", [1, 12])
def test_a_unix_socket_however_long_its_path(tmp_path: Path, depth: int) -> None:
    directory = tmp_path.joinpath(*["d" * 20] * depth)
    for _ in range(2):  # the second finds the first's name, dead
        with listen_unix(directory, "s.sock", directory_mode=0o711, mode=0o666) as sock:
            sock.listen()
            assert directory.stat().st_mode & 0o777 == 0o711
            assert (directory / "s.sock").stat().st_mode & 0o777 == 0o666
            handle = os.open(directory, os.O_PATH)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(f"/proc/self/fd/{handle}/s.sock")
            os.close(handle)
    remove(directory / "s.sock")
    remove(directory / "s.sock")


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OpenShellError) as caught:
        listen_unix(tmp_path / "file" / "x", "s.sock", directory_mode=0o700, mode=0o600)
    assert caught.value.code is Code.PRECONDITION
