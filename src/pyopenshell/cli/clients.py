"""From options to a client and a sandbox: which gateway, which token, and which sandbox where none is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyopenshell.cli.context import Context
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import read_small
from pyopenshell.sdk.gateways import Registry
from pyopenshell.sdk.last_used import LastUsed

if TYPE_CHECKING:
    from pyopenshell.sdk.client import Client


def client_of(context: Context) -> Client:
    """A client of the gateway that --gateway, the configuration or the selection says. Raises NOT_FOUND, INVALID."""
    from pyopenshell.sdk.client import Client  # what it brings is for commands that connect
    from pyopenshell.sdk.connection import proxy_of

    gateway = Registry(context.paths).resolve(context.chosen_gateway)
    return Client(
        gateway,
        token_of(context),
        connect_timeout=context.settings.connect_timeout,
        proxy=proxy_of(gateway, context.environ),
    )


def token_of(context: Context) -> str:
    """The API token of --token-file, of OPENSHELL_TOKEN, or of the configured token file; empty for none.

    Raises NOT_FOUND, INVALID.
    """
    settings = context.settings
    file = context.path(context.token_file) if context.token_file else None
    if file is None:
        if settings.token.strip() or settings.token_file is None:
            return checked_token(settings.token.strip(), "OPENSHELL_TOKEN")
        file = settings.token_file
    data = read_small(file)
    if data is None:
        raise OpenShellError(Code.NOT_FOUND, f"token file {file} does not exist")
    token = data.decode("utf-8", "replace").strip()
    if not token:
        raise OpenShellError(Code.INVALID, f"token file {file} is empty")
    return checked_token(token, str(file))


def checked_token(token: str, where: str) -> str:
    """A token goes into a header: visible ASCII alone. The message never shows it."""
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise OpenShellError(
            Code.INVALID,
            f"{where} holds no token: there are spaces or characters in it that no token has",
            hint="'openshell token create' prints one, in one word",
        )
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
