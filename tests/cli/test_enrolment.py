"""Inviting, listing and revoking: the invitation alone on standard output."""

from __future__ import annotations

import json

import pytest

from pyopenshell.enrol.invitation import Invitation
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


async def test_an_invitation_is_one_line(line: CommandLine, gateway: FakeGateway) -> None:
    done = await line("gateway", "invite", "ada", "--ttl", "15m", "--scope", "exec")
    assert done.code == 0 and done.out.count("\n") == 1
    assert [one.host for one in Invitation.parse(done.out).addresses] == ["lab.example", "2001:db8::1"]
    assert done.err == (
        "an invitation for user ada, good once, until 2033-05-18 03:33 UTC; "
        "on their machine: openshell gateway add LINE\n"
    )
    (asked,) = gateway.invited
    assert (asked.role, asked.name, asked.ttl.seconds) == (ext.ENROLLED_ROLE_USER, "ada", 900)
    data = json.loads((await line("gateway", "invite", "-o", "json", "--role", "host")).out)
    assert (data["role"], data["name"]) == ("host", "") and data["invitation"].startswith("os-host://")


async def test_who_takes_it_is_told(line: CommandLine) -> None:
    assert "of any name" in (await line("gateway", "invite")).err
    assert "openshell-supervisor serve LINE" in (await line("gateway", "invite", "--role", "host")).err
    assert "--certificate-to DIR" in (await line("gateway", "invite", "--role", "proxy")).err


async def test_one_that_leads_here_alone_is_warned_of(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.reached_at = ["127.0.0.1:1", "localhost:1"]
    assert "warning: it leads to this machine alone" in (await line("gateway", "invite")).err
    done = await line("gateway", "invite", "--address", "lab:7", "--address", "[::1]:8")
    assert "warning" not in done.err
    assert done.out.startswith("os-user://lab:7,[::1]:8/")


@pytest.mark.parametrize("argv", [["--address", "lab"], ["--ttl", "soon"], ["--role", "queen"]])
async def test_bad_invitations_are_not_asked_for(line: CommandLine, gateway: FakeGateway, argv: list[str]) -> None:
    assert (await line("gateway", "invite", *argv)).code == 2
    assert gateway.invited == []


async def test_the_table_fits_a_narrow_window(line: CommandLine, gateway: FakeGateway) -> None:
    for name, role in (("ada", ext.ENROLLED_ROLE_USER), ("lab1", ext.ENROLLED_ROLE_HOST), ("new", 99)):
        gateway.members.append(ext.Principal(role=role, name=name))
        gateway.members[-1].expiration_time.FromSeconds(2_000_000_000)
    gateway.members[1].revoked_time.FromSeconds(1)
    await line("gateway", "invite", "--scope", "exec", "--scope", "ssh")
    out = (await line("gateway", "users", environ={"COLUMNS": "40"})).out
    assert all(len(text) <= 40 for text in out.splitlines())
    assert [text.split() for text in out.splitlines()][:4] == [
        ["NAME", "ROLE", "UNTIL", "SCOPES"],
        ["ada", "user", "2033-05-…", "all"],
        ["lab1", "host", "revoked"],
        ["new", "unspecif…", "2033-05-…"],
    ]
    assert "(anyb" in out and "invited" in out
    listed = json.loads((await line("gateway", "users", "-o", "json")).out)
    assert (listed[0]["scopes"], listed[3]["invited"], listed[3]["scopes"]) == ([], True, ["exec", "ssh"])


async def test_revoking(line: CommandLine, gateway: FakeGateway) -> None:
    gateway.members.append(ext.Principal(role=ext.ENROLLED_ROLE_USER, name="ada"))
    assert (await line("gateway", "revoke", "ada")).out == "user ada revoked\n"
    assert json.loads((await line("gateway", "revoke", "ada", "--role", "user", "-o", "json")).out)["revoked"]
    assert (await line("gateway", "revoke", "ada", "--role", "host")).code == 1
