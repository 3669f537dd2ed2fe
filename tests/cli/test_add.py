"""`gateway add` with an invitation; without one, tests/cli/test_gateway.py has it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.enrol.invitation import Invited
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.gateways import Registry
from pyopenshell.sdk.paths import Paths
from tests.support.command_line import CommandLine
from tests.support.enrolment import CODE, EnrollingGateway


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[EnrollingGateway]:
    (tmp_path / "lab").mkdir()
    made = await EnrollingGateway(tmp_path / "lab").start()
    yield made
    await made.stop()


async def test_a_line_registers(bare: CommandLine, lab: EnrollingGateway) -> None:
    done = await bare("gateway", "add", str(lab.invitation()), environ={"USER": "Ada"})
    assert done.code == 0, done.err
    assert done.out == f"gateway lab registered at https://127.0.0.1:{lab.port}, selected: you are its user ada\n"
    assert Registry(Paths.of(bare.environ)).load("lab").auth_mode == "mtls"


async def test_it_is_read_from_standard_input(bare: CommandLine, lab: EnrollingGateway) -> None:
    text = f"{lab.invitation()}\n".encode()
    done = await bare("gateway", "add", "-", "--name", "mine", "--user", "grace", stdin=text)
    assert done.code == 0, done.err
    assert lab.enrolled[0].name == "grace"
    assert json.loads((await bare("gateway", "list", "-o", "json")).out)[0]["name"] == "mine"


@pytest.mark.parametrize("text", [b"", b"\n", b"x" * 99999, b"\xff\n"])
async def test_what_is_no_line(bare: CommandLine, text: bytes) -> None:
    done = await bare("gateway", "add", "-", stdin=text)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "not an invitation" in done.err


async def test_refusals_are_one_line_without_the_code(bare: CommandLine, lab: EnrollingGateway) -> None:
    await bare("gateway", "add", str(lab.invitation()), "--user", "ada")
    for argv, told in (
        ([str(lab.invitation())], "was used"),
        ([str(lab.invitation())[:-3]], "cut off"),
        ([str(lab.invitation(shown="0" * 64))], "somebody is in between"),
        ([str(lab.invitation(Invited.HOST))], "for a host"),
        ([str(lab.invitation(Invited.PROXY))], "--certificate-to DIR"),
        ([str(lab.invitation()), "--certificate-to", "px"], "for a user, not for a proxy"),
        ([str(lab.invitation()), "--name", "lab"], "registered already"),
        ([str(lab.invitation()), "--name", "a/b"], "'a/b' is not valid"),
        ([str(lab.invitation()), "--user", "A B"], "'A B' is not valid"),
        ([str(lab.invitation()), "--endpoint", "https://x"], "says all"),
        (["lab", "--endpoint", "https://x", "--user", "ada"], "are for an invitation"),
    ):
        done = await bare("gateway", "add", *argv)
        assert done.code in (1, 2) and told in done.err and done.err.count("\n") == 1, done.err
        assert CODE not in done.err and not done.out
    lab.codes.add(CODE)
    lab.refuse["Enrol"] = OpenShellError(Code.CONFLICT, "a user 'ada' is enrolled already")
    assert "is enrolled already" in (await bare("gateway", "add", str(lab.invitation()))).err


async def test_a_proxys_files(bare: CommandLine, lab: EnrollingGateway) -> None:
    done = await bare("gateway", "add", str(lab.invitation(Invited.PROXY)), "--certificate-to", "px")
    assert done.code == 0, done.err
    assert done.out == f"{bare.directory / 'px'} has ca.crt, tls.crt and tls.key of proxy proxy\n"
    assert "they end at " in done.err
    assert sorted(file.name for file in (bare.directory / "px").iterdir()) == ["ca.crt", "tls.crt", "tls.key"]
    assert Registry(Paths.of(bare.environ)).names() == []
