"""Invitations made and taken through the SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.enrol.invitation import Address, Invited
from pyopenshell.enrol.keys import validity
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.enrolment import login_name, take_proxy, take_user
from pyopenshell.sdk.gateways import Registry
from pyopenshell.sdk.paths import Paths
from tests.support.client_gateway import FakeGateway
from tests.support.enrolment import EnrollingGateway


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[EnrollingGateway]:
    made = await EnrollingGateway(tmp_path).start()
    yield made
    await made.stop()


async def test_invite_list_revoke(client: Client, gateway: FakeGateway) -> None:
    line, until = await client.enrolment.invite(name="ada", scopes=["exec"], ttl=60.0)
    assert [str(one) for one in line.addresses] == ["lab.example:17670", "[2001:db8::1]:17670"]
    assert line.role is Invited.USER and until is not None
    (asked,) = gateway.invited
    assert (asked.name, list(asked.scopes), asked.ttl.seconds) == ("ada", ["exec"], 60)
    other, _ = await client.enrolment.invite(Invited.HOST, addresses=[Address("here", 7)])
    assert str(other).startswith("os-host://here:7/osi_")
    assert not gateway.invited[1].HasField("ttl")
    gateway.reached_at = []
    assert (await client.enrolment.invite())[0].addresses == (Address("127.0.0.1", gateway.port),)
    first = (await client.enrolment.list())[0]
    assert (first.name, first.role, first.invited) == ("ada", "user", True)
    assert (await client.enrolment.revoke("ada")).revoked is not None
    with pytest.raises(OpenShellError, match="does not exist"):
        await client.enrolment.revoke("ada", Invited.PROXY)


async def test_taking_one_registers_the_gateway(lab: EnrollingGateway, paths: Paths) -> None:
    gateway, found = await take_user(paths, lab.invitation(), user="ada")
    assert (gateway.name, str(gateway.endpoint), gateway.auth_mode) == ("lab", f"https://127.0.0.1:{lab.port}", "mtls")
    assert gateway.is_remote and Registry(paths).active_name() == "lab"
    assert gateway.extra["renew_after"] == validity(gateway.certificate.read_bytes()).renew_after
    assert gateway.key.read_bytes() == found.key and gateway.key.stat().st_mode & 0o777 == 0o600
    async with Client(gateway) as client:
        assert await client.health() == ("healthy", "9.9")
    assert lab.certificates[-1] is not None


async def test_a_second_gateway_of_that_name_gets_another(lab: EnrollingGateway, paths: Paths) -> None:
    await take_user(paths, lab.invitation(), user="ada")
    lab.codes.add("osi_" + "b" * 32)
    second = lab.invitation(code="osi_" + "b" * 32)
    with pytest.raises(OpenShellError, match="the line is still good") as caught:
        await take_user(paths, second, name="lab", user="ada")
    assert caught.value.code is Code.CONFLICT
    gateway, _ = await take_user(paths, second, user="ada")
    assert gateway.name == "lab-2"


async def test_a_refusal_leaves_nothing(lab: EnrollingGateway, paths: Paths, tmp_path: Path) -> None:
    lab.refuse["Enrol"] = OpenShellError(Code.CONFLICT, "a user of this name is there")
    with pytest.raises(OpenShellError, match="is there"):
        await take_user(paths, lab.invitation(), user="ada")
    assert Registry(paths).names() == [] and not any(paths.gateways.iterdir())
    with pytest.raises(OpenShellError, match="is there"):
        await take_proxy(tmp_path / "px", lab.invitation(Invited.PROXY))
    assert not any((tmp_path / "px").iterdir())


async def test_where_nothing_can_be_kept_the_line_is_not_used(lab: EnrollingGateway, paths: Paths) -> None:
    paths.config.mkdir(parents=True)
    paths.gateways.write_text("in the way")
    with pytest.raises(OpenShellError, match="not a directory"):
        await take_user(paths, lab.invitation(), user="ada")
    assert lab.asked == []


async def test_a_proxys_files(lab: EnrollingGateway, tmp_path: Path) -> None:
    found = await take_proxy(tmp_path / "px", lab.invitation(Invited.PROXY), name="front")
    assert {file.name: file.read_bytes() for file in (tmp_path / "px").iterdir()} == found.credentials
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in (tmp_path / "px").iterdir())
    asked = len(lab.asked)
    with pytest.raises(OpenShellError, match="exists already"):
        await take_proxy(tmp_path / "px", lab.invitation(Invited.PROXY))
    assert len(lab.asked) == asked


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"USER": "ada"}, "ada"),
        ({"LOGNAME": "Ada.Lovelace", "USER": "x"}, "ada-lovelace"),
        ({"USER": "-_-"}, "user"),
        ({"USER": "ада"}, "user"),
        ({}, "user"),
        ({"USER": "x" * 99}, "x" * 63),
    ],
)
def test_login_names(environ: dict[str, str], name: str) -> None:
    assert login_name(environ) == name
