"""Two machines on loopback: a real gateway, and a second set-up that knows of it what an invitation says."""

from __future__ import annotations

import asyncio
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyopenshell.enrol.invitation import Address, Invitation
from pyopenshell.enrol.keys import der_of, validity
from pyopenshell.sdk.gateways import Gateway, Registry, add_fields
from pyopenshell.sdk.paths import Paths
from tests.support.enrolment import EnrollingGateway
from tests.support.waiting import until
from tests.support.world import World

pytestmark = pytest.mark.e2e

PATIENCE = 30.0  # seconds: what is cut is cut within one; a test that waits longer has failed
ECHO = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
peer, _ = server.accept()
while data := peer.recv(100):
    peer.sendall(data)
"""


@pytest.fixture
def elsewhere() -> Iterator[World]:
    """The other machine: no gateway of its own, nothing registered."""
    with tempfile.TemporaryDirectory(prefix="openshell-elsewhere-") as folder:
        world = World(Path(folder), "none")
        yield world
        world.close()


def take(world: World, elsewhere: World, name: str, *options: str) -> Gateway:
    """`name` is invited and comes."""
    line = world.run("gateway", "invite", name, *options).ok().out
    elsewhere.run("gateway", "add", "-", "--name", name, stdin=line).ok()
    return Registry(Paths.of(elsewhere.environ)).load(name)


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def test_who_was_invited_works_from_there(world: World, web: str, elsewhere: World) -> None:
    asked = world.run("gateway", "invite", "ada").ok()
    assert asked.text.count("\n") == 1 and "warning: it leads to this machine alone" in asked.err
    added = elsewhere.run("gateway", "add", "-", stdin=asked.out).ok()
    assert "you are its user ada" in added.text
    assert elsewhere.run("whoami", "-o", "json").json["subject"] == "user:ada"
    assert elsewhere.run("sandbox", "exec", "-n", web, "--", "echo", "from there").ok().text == "from there\n"
    again = elsewhere.run("gateway", "add", "-", "--name", "again", stdin=asked.out)
    assert again.status == 1 and "used" in again.err
    taken = world.run("gateway", "invite", "ada")
    assert taken.status == 1 and "ada" in taken.err
    listed = {one["name"]: one for one in world.run("gateway", "users", "-o", "json").json}
    assert listed["ada"]["role"] == "user" and not listed["ada"]["invited"]
    assert elsewhere.run("gateway", "invite", "eve").status == 1
    world.run("gateway", "revoke", "ada").ok()


def test_scopes_hold_there_too(world: World, web: str, elsewhere: World) -> None:
    take(world, elsewhere, "grace", "--scope", "exec")
    assert elsewhere.run("sandbox", "exec", "-n", web, "--", "true").ok().status == 0
    refused = elsewhere.run("sandbox", "delete", web)
    assert refused.status == 1 and "manage" in refused.err
    world.run("gateway", "revoke", "grace").ok()


def test_revoking_cuts_what_runs(world: World, web: str, elsewhere: World) -> None:
    take(world, elsewhere, "linus")
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    python = ("/usr/bin/python3", "-c", ECHO)
    server = world.popen("sandbox", "exec", "-n", web, "--", *python, **pipes)
    running = elsewhere.popen("sandbox", "exec", "-n", web, "--", "sh", "-c", "echo up; exec sleep 1000", **pipes)
    port = first_line(server).decode().strip()
    forward = elsewhere.popen("forward", "service", web, "--target-port", port, **pipes)
    try:
        host, _, local = first_line(forward).decode().split()[1].rpartition(":")
        assert running.stdout is not None and running.stdout.read(3) == b"up\n"
        with socket.create_connection((host, int(local)), PATIENCE) as peer:
            peer.sendall(b"there?")
            assert peer.recv(100) == b"there?"
            world.run("gateway", "revoke", "linus").ok()
            readable, _, _ = select.select([peer], [], [], PATIENCE)
            assert readable
            try:
                assert peer.recv(100) == b""
            except ConnectionResetError:
                pass
        _, told = running.communicate(timeout=PATIENCE)
        assert running.returncode == 255 and b"revoked" in told
        refused = elsewhere.run("sandbox", "exec", "-n", web, "--", "true")
        assert refused.status != 0 and "revoked" in refused.err
    finally:
        for process in (running, forward, server):
            process.terminate()
            process.communicate()
    take(world, elsewhere, "linus-2")
    assert elsewhere.run("whoami", "-g", "linus-2").ok().status == 0
    world.run("gateway", "revoke", "linus-2").ok()


def test_a_certificate_renews_itself(world: World, elsewhere: World) -> None:
    gateway = take(world, elsewhere, "edsger")
    owner = Registry(Paths.of(world.environ)).load(world.gateway.name)
    for who, of in ((elsewhere, gateway), (world, owner)):
        old, key = of.certificate.read_bytes(), of.key.read_bytes()
        add_fields(of, {"renew_after": 1})
        who.run("whoami", "-g", of.name).ok()
        new = of.certificate.read_bytes()
        assert new != old and of.key.read_bytes() == key
        kept = Registry(Paths.of(who.environ)).load(of.name).extra["renew_after"]
        assert kept == validity(new).renew_after > 1
        who.run("whoami", "-g", of.name).ok()
    world.run("gateway", "revoke", "edsger").ok()


async def test_somebody_in_between_never_sees_the_code(world: World, elsewhere: World, tmp_path: Path) -> None:
    owner = Registry(Paths.of(world.environ)).load(world.gateway.name)
    line = Invitation.parse((await asyncio.to_thread(world.run, "gateway", "invite", "alan")).ok().text)
    for shows in (b"", der_of(owner.ca.read_bytes())):
        between = await EnrollingGateway(tmp_path, shows=shows).start()
        try:
            forged = Invitation(line.role, (Address("127.0.0.1", between.port),), line.code, line.fingerprint)
            refused = await asyncio.to_thread(elsewhere.run, "gateway", "add", "-", stdin=str(forged).encode())
            assert refused.status == 1
            assert ("not trusted" if shows else "somebody is in between") in refused.err
            assert line.code not in refused.err and line.code not in refused.text
            assert between.asked == ["GetAuthority"] and between.enrolled == []
        finally:
            await between.stop()
    assert (await asyncio.to_thread(elsewhere.run, "gateway", "add", "-", stdin=str(line).encode())).status == 0
    (await asyncio.to_thread(world.run, "gateway", "revoke", "alan")).ok()


def test_a_clock_that_is_off_is_told(world: World, elsewhere: World) -> None:
    line = world.run("gateway", "invite", "barbara").ok().out
    program = (
        "import sys, time, asyncio; from pyopenshell.enrol.dialogue import enrol; "
        "from pyopenshell.enrol.invitation import Invitation, Invited; "
        "asyncio.run(enrol(Invitation.parse(sys.stdin.read()), Invited.USER, wall=lambda: time.time() + 86400))"
    )
    off = elsewhere.command([sys.executable, "-c", program], stdin=line)
    assert off.status == 1 and "this machine's clock says" in off.err
    elsewhere.run("gateway", "add", "-", stdin=line).ok()
    world.run("gateway", "revoke", "barbara").ok()


def test_an_expired_invitation(world: World, elsewhere: World) -> None:
    line = world.run("gateway", "invite", "ken", "--ttl", "1").ok().out
    ends = time.time() + 1
    asyncio.run(until(lambda: time.time() > ends))
    late = elsewhere.run("gateway", "add", "-", stdin=line)
    assert late.status == 1 and "expired" in late.err


def test_what_is_opened_stays_so(elsewhere: World) -> None:
    try:
        opened = elsewhere.run("gateway", "start", "lab", "--bind", "127.0.0.2", "--san", "lab.example", "-o", "json")
        where = opened.json["endpoint"]
        assert "127.0.0.2" in where and "warning" not in opened.err
        elsewhere.run("gateway", "stop", "lab").ok()
        assert elsewhere.run("gateway", "start", "lab", "-o", "json").json["endpoint"] == where
        wrong = elsewhere.run("gateway", "start", "lab", "--bind", "127.0.0.1")
        assert wrong.status == 1 and "already runs at 127.0.0.2" in wrong.err
        line = Invitation.parse(elsewhere.run("gateway", "invite").ok().text)
        assert [one.host for one in line.addresses] == ["lab.example", "127.0.0.2"]
    finally:
        elsewhere.run("gateway", "stop", "lab")
