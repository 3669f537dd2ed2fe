"""From options to a client and a sandbox: which gateway, which token, and which sandbox where none is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyopenshell.cli.context import Context
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.files import read_small
from pyopenshell.sdk.gateways import Registry
from pyopenshell.sdk.last_used import LastUsed

if TYPE_CHECKING:
    from pyopenshell.sdk.client import Client


def client_of(context: Context) -> Client:
    """A client of the gateway that --gateway, OPENSHELL_GATEWAY or the selection says. Raises NOT_FOUND."""
    from pyopenshell.sdk.client import Client  # what it brings is for commands that connect

    name = context.gateway or context.environ.get("OPENSHELL_GATEWAY", "")
    return Client(Registry(context.paths).resolve(name), token_of(context))


def token_of(context: Context) -> str:
    """The API token of --token-file, or of OPENSHELL_TOKEN; empty for none. Raises NOT_FOUND, INVALID."""
    if not context.token_file:
        return checked_token(context.environ.get("OPENSHELL_TOKEN", "").strip(), "OPENSHELL_TOKEN")
    data = read_small(context.path(context.token_file))
    if data is None:
        raise OpenShellError(Code.NOT_FOUND, f"token file {context.token_file} does not exist")
    token = data.decode("utf-8", "replace").strip()
    if not token:
        raise OpenShellError(Code.INVALID, f"token file {context.token_file} is empty")
    return checked_token(token, context.token_file)


def checked_token(token: str, where: str) -> str:
    """A token goes into a header: visible ASCII alone. The message never shows it."""
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise OpenShellError(Code.INVALID, f"what {where} holds is not a token")
    return token


def sandbox_of(context: Context, client: Client, name: str | None, *, remember: bool = True) -> str:
    """The sandbox called `name`, or the last used one, which is said on standard error. Raises INVALID, NOT_FOUND."""
    from pyopenshell.sdk.relays import check_sandbox

    last = LastUsed(context.paths)
    if name is None:
        name = last.get(client.gateway.name)
        if not name:
            raise OpenShellError(
                Code.NOT_FOUND, "no sandbox was named, and none was used before", hint="see 'openshell sandbox list'"
            )
        context.err(f"using sandbox {check_sandbox(name)}")
        return name
    check_sandbox(name)
    if remember:
        last.set(client.gateway.name, name)
    return name
