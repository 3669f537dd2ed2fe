"""The audit file after ordinary use, refusals and a revocation: outcomes, byte counts, ids, and never a secret."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.openssh import OpenSsh
from tests.support.waiting import until
from tests.support.world import OPENSHELL, World

pytestmark = pytest.mark.e2e

NETWORK, SSH, AUTHENTICATION, ENTITY, PROCESS = 4001, 4007, 3002, 3004, 1007
CLOSES = ("Close", "Reset", "Fail")

FRAMING = 400  # bytes that a small relay's gRPC and exec framing may add to its payload
#: Answers one connection with 1,000 bytes.
ANSWERER = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    c, _ = server.accept()
    while c.recv(65536):
        pass
    c.sendall(bytes(1000))
    c.close()
"""

Event = dict[str, Any]


class Audit:
    """The events about one sandbox, and about none, that came since this was made."""

    def __init__(self, world: World, sandbox_id: str) -> None:
        self.path = world.state / "audit.jsonl"
        self.sandbox_id = sandbox_id
        self._start = self.path.stat().st_size

    def events(self) -> list[Event]:
        """Of whole lines: the last one may be half written. Relays of other sandboxes may still be ending."""
        lines = self.path.read_bytes()[self._start :].rpartition(b"\n")[0].decode().splitlines()
        found = map(json.loads, lines)
        return [e for e in found if e.get("dst_endpoint", {}).get("uid", self.sandbox_id) == self.sandbox_id]

    def wait(self, wanted: Callable[[Event], bool], count: int = 1) -> list[Event]:
        """The events that are `wanted`, once there are so many."""
        found: list[Event] = []

        def enough() -> bool:
            found[:] = [event for event in self.events() if wanted(event)]
            return len(found) >= count

        asyncio.run(until(enough))
        assert len(found) == count, found
        return found

    def closed(self, target: str, count: int = 1, kind: int = NETWORK) -> list[Event]:
        """The ends of relays to `target`."""
        return self.wait(
            lambda e: (
                e["class_uid"] == kind and e["activity_name"] in CLOSES and e["dst_endpoint"]["svc_name"] == target
            ),
            count,
        )


@pytest.fixture
def box(world: World) -> Iterator[str]:
    """A sandbox of this test's own."""
    world.run("sandbox", "create", "audited").ok()
    yield "audited"
    world.run("sandbox", "delete", "--yes", "audited").ok()


@pytest.fixture
def audit(world: World, box: str) -> Audit:
    return Audit(world, str(world.run("sandbox", "get", box, "-o", "json").json["id"]))


def check_counts(event: Event, far: int, near: int) -> None:
    traffic = event["traffic"]
    assert far <= traffic["bytes_out"] <= far + FRAMING
    assert near <= traffic["bytes_in"] <= near + FRAMING
    assert traffic["bytes"] == traffic["bytes_out"] + traffic["bytes_in"]


def test_an_exec(world: World, box: str, audit: Audit) -> None:
    world.run("sandbox", "exec", "-n", box, "--", "sh", "-c", "head -c 1000; exit 3", stdin=b"x" * 1000)
    (closed,) = audit.closed("exec")
    launched, ended = audit.wait(lambda e: e["class_uid"] == PROCESS, 2)
    (opened,) = audit.wait(lambda e: e["class_uid"] == NETWORK and e["activity_name"] == "Open")
    assert closed["status_code"] == "completed"
    assert (launched["activity_name"], ended["activity_name"], ended["exit_code"]) == ("Launch", "Terminate", 3)
    check_counts(closed, 1000, 1000)
    assert closed["dst_endpoint"]["uid"] == audit.sandbox_id
    assert closed["dst_endpoint"]["name"] == box
    assert closed["duration"] >= 0
    channel = closed["connection_info"]["uid"]
    assert re.fullmatch(r"[0-9a-f-]{36}", channel)
    assert channel == opened["connection_info"]["uid"] == launched["unmapped"]["relay"]


def test_an_exec_that_leaves_input_unread(world: World, box: str, audit: Audit) -> None:
    with open("/dev/zero", "rb") as endless:
        assert world.popen("sandbox", "exec", "-n", box, "--", "true", stdin=endless).wait(30) == 0
    (closed,) = audit.closed("exec")
    assert closed["status_code"] == "completed"


def test_ssh(world: World, box: str, audit: Audit, tmp_path: Path) -> None:
    openssh = OpenSsh.of(world, box, tmp_path)
    for _ in range(3):
        world.command(openssh.ssh("true")).ok()
    for kind in (NETWORK, SSH):
        closed = audit.closed("ssh", 3, kind)
        assert {event["status_code"] for event in closed} == {"completed"}
        assert len({event["connection_info"]["uid"] for event in closed}) == 3


def test_a_forward(world: World, box: str, audit: Audit) -> None:
    inside = ("sandbox", "exec", "-n", box, "--", "/usr/bin/python3", "-c", ANSWERER)
    with world.popen(*inside, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        port = server.stdout.readline().decode().strip()
        outside = ("forward", "service", box, "--target-port", port)
        with world.popen(*outside, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as forward:
            assert forward.stdout is not None
            local = forward.stdout.readline().decode().split()[1].rpartition(":")[2]
            for _ in range(3):
                with socket.create_connection(("127.0.0.1", int(local)), timeout=60) as connection:
                    connection.sendall(bytes(5000))
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
            closed = audit.closed(f"tcp 127.0.0.1:{port}", 3)
            forward.terminate()
        server.terminate()
    (made,) = audit.wait(lambda e: e["class_uid"] == ENTITY and e["activity_name"] == "Create")
    (ended,) = audit.wait(lambda e: e["class_uid"] == ENTITY and e["activity_name"] == "Delete")
    assert made["entity"]["uid"] == ended["entity"]["uid"]
    for event in closed:
        assert event["status_code"] == "completed"
        assert event["dst_endpoint"]["port"] == int(port)
        check_counts(event, 5000, 1000)


def test_refused_and_revoked_tokens_and_no_secret_at_all(world: World, box: str, audit: Audit) -> None:
    world.run("sandbox", "exec", "-n", box, "--", "true", environ={"OPENSHELL_TOKEN": "ost_" + "A" * 43})
    (refused,) = audit.wait(lambda e: e["class_uid"] == AUTHENTICATION)
    assert refused["status_code"] == "unauthenticated"
    assert refused["service"]["name"] == "ForwardTcp"

    made = world.run("token", "create", "audited", "-o", "json").json
    secret = made["secret"]
    running = subprocess.Popen(
        [*OPENSHELL, "sandbox", "exec", "-n", box, "--", "sh", "-c", "echo up; exec sleep 600"],
        env=world.environ | {"OPENSHELL_TOKEN": secret},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"up\n"
    world.run("token", "revoke", "audited").ok()
    _, said = running.communicate(timeout=60)
    assert running.returncode == 255
    assert b"revoked" in said
    (closed,) = audit.closed("exec")
    assert closed["status_code"] == "revoked"
    assert closed["actor"]["user"]["uid"] == f"token:{made['id']}"
    assert audit.wait(lambda e: e["class_uid"] == ENTITY and e["entity"]["uid"] == made["id"], 2)

    world.run("sandbox", "exec", "-n", box, "--", "echo", secret, environ={"OPENSHELL_TOKEN": secret})
    audit.wait(lambda e: e["class_uid"] == AUTHENTICATION, 2)
    whole = audit.path.read_text()
    assert secret not in whole
    assert not re.search(r"os[ts]_[A-Za-z0-9_-]{16}|PRIVATE KEY|\beyJ[A-Za-z0-9_-]{8,}\.|Bearer ", whole)
    for key in _keys(world):
        assert key not in whole


def _keys(world: World) -> list[str]:
    """A line from the middle of every key that the set-up keeps in a file."""
    found = []
    for folder, _, names in os.walk(world.base):
        for name in names:
            path = Path(folder) / name
            if path.suffix == ".key" or name == "id_ed25519":
                found.append(path.read_text().splitlines()[1])
    assert found
    return found
