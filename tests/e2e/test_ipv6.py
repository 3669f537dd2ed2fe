"""A gateway at IPv6 addresses: what is written in brackets, and both families on one socket."""

from __future__ import annotations

import contextlib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.world import World


def here() -> bool:
    """Whether this machine's loopback has IPv6."""
    with socket.socket(socket.AF_INET6) as sock, contextlib.suppress(OSError):
        sock.bind(("::1", 0))
        return True
    return False


pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not here(), reason="no IPv6 on loopback")]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A gateway at all addresses, with one sandbox."""
    with tempfile.TemporaryDirectory(prefix="openshell-six-") as folder:
        world = World(Path(folder), "six")
        world.environ["OPENSHELL_GATEWAY_HOST"] = "::"
        world.start()
        world.run("sandbox", "create", "web").ok()
        yield world
        world.close()


def port(world: World) -> str:
    return str(world.run("gateway", "list", "--output", "json").json[0]["endpoint"]).rpartition(":")[2]


def registered(world: World, name: str, host: str) -> dict[str, str]:
    """The gateway once more, under `name`, at `host`."""
    mine = world.base / "config" / "openshell" / "gateways" / "six" / "mtls"
    files = ("--ca", str(mine / "ca.crt"), "--cert", str(mine / "tls.crt"), "--key", str(mine / "tls.key"))
    world.run("gateway", "add", name, "--endpoint", f"https://{host}:{port(world)}", *files).ok()
    return {"OPENSHELL_GATEWAY": name}


@pytest.mark.parametrize(("name", "host"), [("literal", "[::1]"), ("four", "127.0.0.1"), ("both", "localhost")])
def test_each_way_leads_to_it(world: World, name: str, host: str) -> None:
    environ = registered(world, name, host)
    assert world.run("sandbox", "exec", "-n", "web", "--", "echo", "here", environ=environ).ok().out == b"here\n"
    shown = world.run("gateway", "status", name).ok().text
    assert f"https://{host}:{port(world)}" in shown


def test_an_invitation_with_an_address_in_brackets(world: World) -> None:
    line = world.run("gateway", "invite", "ada", "--address", f"[::1]:{port(world)}").ok().text
    assert line.startswith(f"os-user://[::1]:{port(world)}/")
    world.run("gateway", "add", "-", "--name", "invited", stdin=line.encode()).ok()
    environ = {"OPENSHELL_GATEWAY": "invited"}
    assert world.run("whoami", "--output", "json", environ=environ).json["subject"] == "user:ada"
