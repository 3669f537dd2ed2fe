"""Status and whoami, also where the gateway does not answer."""

from __future__ import annotations

import json

from pyopenshell.errors import Code, OpenShellError
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


async def test_a_gateway_that_answers(line: CommandLine) -> None:
    done = await line("status", "-o", "json")
    data = json.loads(done.out)
    assert done.code == 0
    assert data.pop("round_trip_ms") > 0
    assert data.pop("endpoint").startswith("http://127.0.0.1:")
    assert data == {
        "gateway": "fake", "reachable": True, "health": "healthy", "version": "9.9", "user": "ada", "sandboxes": 1,
    }  # fmt: skip


async def test_one_that_does_not(line: CommandLine, gateway: FakeGateway) -> None:
    await gateway.cut()
    done = await line("status", "-o", "json")
    assert done.code == 1
    data = json.loads(done.out)
    assert data["reachable"] is False and "Connection refused" in data["error"]


async def test_one_that_does_not_know_us(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.refuse["GetCurrentUser"] = OpenShellError(Code.UNAUTHENTICATED, "no certificate")
    done = await line("status")
    assert done.code == 1
    assert "reachable" in done.out and "no certificate" in done.out


async def test_whoami(line: CommandLine) -> None:
    assert json.loads((await line("whoami", "-o", "json")).out) == {
        "subject": "ada", "display_name": "Ada", "roles": ["admin"], "scopes": [], "identity_provider": "fake",
        "gateway": "fake",
    }  # fmt: skip
