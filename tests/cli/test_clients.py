"""Which gateway and which token: options before environment before what is selected."""

from __future__ import annotations

import pytest

from pyopenshell.cli.clients import client_of, token_of
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.paths import Paths
from tests.support.client_gateway import FakeGateway
from tests.support.command_line import CommandLine


async def test_the_order_of_gateways(line: CommandLine, gateway: FakeGateway) -> None:
    for name in ("two", "three"):
        gateway.register(Paths.of(line.environ), name)
    environ = {"OPENSHELL_GATEWAY": "two"}
    assert client_of(line.context(None, None, None)).gateway.name == "fake"
    assert client_of(line.context(None, None, None, environ=environ)).gateway.name == "two"
    assert client_of(line.context(None, None, None, environ=environ, gateway="three")).gateway.name == "three"


def test_the_order_of_tokens(bare: CommandLine) -> None:
    (bare.directory / "file").write_text("  of-file \n")
    environ = {"OPENSHELL_TOKEN": "of-environment"}
    assert token_of(bare.context(None, None, None)) == ""
    assert token_of(bare.context(None, None, None, environ=environ)) == "of-environment"
    assert token_of(bare.context(None, None, None, environ=environ, token_file="file")) == "of-file"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, Code.NOT_FOUND),
        ("", Code.INVALID),
        ("two words", Code.INVALID),
        ("a\nb", Code.INVALID),
        ("\xe4", Code.INVALID),
    ],
)
def test_token_files_that_hold_none(bare: CommandLine, content: str | None, code: Code) -> None:
    if content is not None:
        (bare.directory / "file").write_text(content)
    with pytest.raises(OpenShellError) as caught:
        token_of(bare.context(None, None, None, token_file="file"))
    assert caught.value.code is code
    assert not content or content not in str(caught.value)


def test_a_token_in_the_environment_that_is_none(bare: CommandLine) -> None:
    with pytest.raises(OpenShellError, match="OPENSHELL_TOKEN") as caught:
        token_of(bare.context(None, None, None, environ={"OPENSHELL_TOKEN": "se cret"}))
    assert "se cret" not in str(caught.value)
