"""Which gateway and which token: options before environment before what is selected."""

from __future__ import annotations

import socket

import pytest

from pyopenshell.cli.clients import client_of, token_of
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.gateways import AUTH_PLAINTEXT, Endpoint, Registry
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


def configure(line: CommandLine, text: str) -> None:
    file = Paths.of(line.environ).config / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


async def test_the_configuration_is_before_the_selection_and_after_all_else(
    line: CommandLine, gateway: FakeGateway
) -> None:
    for name in ("two", "three"):
        gateway.register(Paths.of(line.environ), name)
    configure(line, '[client]\ngateway = "two"\n')
    assert client_of(line.context(None, None, None)).gateway.name == "two"
    environ = {"OPENSHELL_GATEWAY": "fake"}
    assert client_of(line.context(None, None, None, environ=environ)).gateway.name == "fake"
    assert client_of(line.context(None, None, None, environ=environ, gateway="three")).gateway.name == "three"


def test_a_configured_token_file(bare: CommandLine) -> None:
    (bare.directory / "file").write_text("of-file\n")
    configure(bare, f'[client]\ntoken_file = "{bare.directory / "file"}"\n')
    assert token_of(bare.context(None, None, None)) == "of-file"
    assert token_of(bare.context(None, None, None, environ={"OPENSHELL_TOKEN": "of-environment"})) == "of-environment"
    environ = {"OPENSHELL_TOKEN_FILE": str(bare.directory / "other")}
    with pytest.raises(OpenShellError, match="other does not exist"):
        token_of(bare.context(None, None, None, environ=environ))


async def test_the_configured_output(line: CommandLine) -> None:
    table = await line("sandbox", "list")
    assert table.out.startswith("NAME")
    configure(line, '[client]\noutput = "json"\n')
    assert (await line("sandbox", "list")).out.startswith("[")
    assert (await line("sandbox", "list", environ={"OPENSHELL_OUTPUT": "yaml"})).out.startswith("- ")
    assert (await line("sandbox", "list", "-o", "table")).out == table.out


async def test_the_configured_time_to_connect(line: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = Endpoint("https", "127.0.0.1", silent.getsockname()[1])
        Registry(Paths.of(line.environ)).save("silent", endpoint, is_remote=True, auth_mode=AUTH_PLAINTEXT)
        configure(line, '[client]\nconnect_timeout = "50ms"\n')
        done = await line("sandbox", "list", "--gateway", "silent")
    assert done.code == 1
    assert "gateway 'silent'" in done.err


@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        ('[client]\ngatewy = "x"\n', {}, "client.gatewy does not exist (did you mean 'gateway'?)"),
        ("[gateway]\nprot = 1\n", {}, "did you mean 'port'?"),
        ('[client]\ntoken = "ost_x"\n', {}, "is a secret"),
        ("", {"OPENSHELL_OUTPUT": "xml"}, "one of table, json, yaml"),
        ("[client", {}, "is not TOML"),
    ],
)
async def test_a_bad_configuration_is_wrong_usage(
    line: CommandLine, text: str, environ: dict[str, str], said: str
) -> None:
    configure(line, text)
    for command in (("sandbox", "list"), ("sandbox", "exec", "-n", "web", "--", "true")):
        if command[1] == "list" or not environ:
            done = await line(*command, environ=environ)
            assert (done.code, said in done.err) == (2, True), done.err
    assert (await line("--help", environ=environ)).code == 0


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
