"""Who holds a port: named where the system tells, and no failure where it does not."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk import port_holder
from pyopenshell.sdk.port_holder import check_port_free, holder_of, port_in_use


@pytest.fixture(params=[("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def taken(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    address, family = request.param
    with socket.socket(family) as sock:
        sock.bind((address, 0))
        sock.listen()
        yield address, sock.getsockname()[1]


def test_the_holder_is_named(taken: tuple[str, int]) -> None:
    address, port = taken
    assert holder_of(port).startswith(f"{os.getpid()} (")
    with pytest.raises(OpenShellError, match=f"port {port} .* in use by process {os.getpid()}") as caught:
        check_port_free(address, port)
    assert caught.value.code is Code.CONFLICT


def test_a_free_port_has_none() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    assert holder_of(port) == ""
    check_port_free("127.0.0.1", port)
    check_port_free("127.0.0.1", 0)


def test_without_proc_nobody_is_named(tmp_path, monkeypatch: pytest.MonkeyPatch, taken: tuple[str, int]) -> None:
    monkeypatch.setattr(port_holder, "PROC", tmp_path)
    assert holder_of(taken[1]) == ""
    assert "by process" not in str(port_in_use(*taken))


def test_a_process_that_cannot_be_looked_into(
    tmp_path, monkeypatch: pytest.MonkeyPatch, taken: tuple[str, int]
) -> None:
    (tmp_path / "net").mkdir()
    for name in ("tcp", "tcp6"):
        (tmp_path / "net" / name).write_text((port_holder.PROC / "net" / name).read_text())
    (tmp_path / "1").mkdir()
    monkeypatch.setattr(port_holder, "PROC", tmp_path)
    assert holder_of(taken[1]) == ""


def test_a_port_that_needs_privileges(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", denied, raising=False)
    with pytest.raises(OpenShellError, match="Permission denied") as caught:
        check_port_free("127.0.0.1", 80)
    assert caught.value.code is Code.PRECONDITION
