"""`openshell gateway add`: register a gateway that runs elsewhere, by an invitation or by files that somebody gave you.

An invitation holds a secret that works once. On the command line other users of this machine may see it (proc(5), cmdline),
so `-` reads it from standard input; either way it is worth nothing once it was taken.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from pyopenshell.cli.commands import Command
from pyopenshell.cli.context import Context
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.files import read_small
from pyopenshell.model import parse_loopback
from pyopenshell.sdk.gateways import AUTH_MTLS, AUTH_PLAINTEXT, AUTH_TOKEN, Endpoint, Registry
from pyopenshell.sdk.local_gateway import LocalGateway

if TYPE_CHECKING:
    from pyopenshell.sdk.invitation import Invitation

STDIN = "-"
LINE_MAX = 8192  # bytes of standard input that are looked at: twice what an invitation may have


@click.command(
    cls=Command,
    example="openshell gateway add os-user://lab.example:17670/osi_...\n"
    "openshell gateway add - < invitation\n"
    "openshell gateway add lab --endpoint https://lab.example:8443 \\\n"
    "    --ca ca.crt --cert tls.crt --key tls.key",
)
@click.argument("what", metavar="LINE|-|NAME")
@click.option("--name", "local_name", metavar="NAME", help="What it is called here. Default: as it calls itself.")
@click.option("--user", metavar="NAME", help="Who you will be, where the invitation names nobody. Default: your login.")
@click.option("--certificate-to", metavar="DIR", help="Where a proxy's files go; nothing is registered then.")
@click.option("--endpoint", metavar="URL", help="https://HOST:PORT, where there is no invitation.")
@click.option("--ca", metavar="FILE", help="Authority that signed the gateway's certificate. Default: the system's.")
@click.option("--cert", metavar="FILE", help="Your certificate; without one, an API token says who you are.")
@click.option("--key", metavar="FILE", help="The private key of your certificate.")
@click.option("--replace", is_flag=True, help="Overwrite a gateway of this name.")
@click.pass_obj
async def add(
    context: Context,
    what: str,
    local_name: str | None,
    user: str | None,
    certificate_to: str | None,
    endpoint: str | None,
    ca: str | None,
    cert: str | None,
    key: str | None,
    replace: bool,
) -> None:
    """Register a gateway that runs elsewhere.

    LINE is an invitation, from 'openshell gateway invite' there: a key is made here, and its certificate signed there.
    Without one, NAME and --endpoint say which gateway, and nothing is sent to it.
    """
    from pyopenshell.sdk.invitation import looks_like_line

    if what == STDIN or looks_like_line(what):
        if endpoint or ca or cert or key or replace:
            raise OpenShellError(Code.INVALID, "an invitation says all that --endpoint and the files would say")
        await _take(context, what, local_name or "", user or "", certificate_to)
        return
    if local_name or user or certificate_to:
        raise OpenShellError(Code.INVALID, "--name, --user and --certificate-to are for an invitation's LINE")
    if not endpoint:
        raise click.UsageError("Missing option '--endpoint', or an invitation in place of the name.")
    _register(context, what, endpoint, {"ca.crt": ca, "tls.crt": cert, "tls.key": key}, replace)


async def _take(context: Context, what: str, name: str, user: str, directory: str | None) -> None:
    from pyopenshell.sdk.invitation import Invitation, Invited

    invitation = Invitation.parse(await _read_line(context) if what == STDIN else what)
    if directory is not None:
        await _take_proxy(context, invitation, user, directory)
        return
    invitation.check_role(Invited.USER)
    from pyopenshell.sdk.enrolment import login_name, take_user
    from pyopenshell.streams.proxies import proxy_for

    gateway, found = await take_user(
        context.paths,
        invitation,
        name=name,
        user=user or login_name(context.environ),
        timeout=context.settings.connect_timeout,
        find_proxy=partial(proxy_for, environ=context.environ),
    )
    chosen = ", selected" if Registry(context.paths).active_name() == gateway.name else ""
    context.out(f"gateway {gateway.name} registered at {gateway.endpoint}{chosen}: you are its user {found.name}")


async def _take_proxy(context: Context, invitation: Invitation, name: str, directory: str) -> None:
    from pyopenshell.sdk.enrolment import PROXY, take_proxy
    from pyopenshell.sdk.invitation import Invited
    from pyopenshell.streams.proxies import proxy_for

    invitation.check_role(Invited.PROXY)
    where = context.path(directory)
    found = await take_proxy(
        where,
        invitation,
        name=name or PROXY,
        timeout=context.settings.connect_timeout,
        find_proxy=partial(proxy_for, environ=context.environ),
    )
    context.out(f"{where} has ca.crt, tls.crt and tls.key of proxy {found.name}")
    context.err(f"they end at {found.validity.until}: a new invitation renews them")


async def _read_line(context: Context) -> str:
    if context.stdin is None:
        raise OpenShellError(Code.PRECONDITION, "the standard input is closed")
    from pyopenshell.cli.descriptors import Reader

    if context.is_terminal(context.stdin):
        context.err("paste the invitation, then press Enter:")
    reader, text = Reader(context.stdin), b""
    try:
        while b"\n" not in text and len(text) < LINE_MAX and (data := await reader.read()):
            text += bytes(data)
    finally:
        reader.close()
    return text.decode("utf-8", "replace")


def _register(context: Context, name: str, endpoint: str, files: dict[str, str | None], replace: bool) -> None:
    registry = Registry(context.paths)
    registry.directory(name)
    if (files["tls.crt"] is None) != (files["tls.key"] is None):
        raise OpenShellError(Code.INVALID, "--cert and --key belong together")
    if name in registry.names():
        if not replace:
            raise OpenShellError(
                Code.CONFLICT, f"gateway {name!r} is registered already", hint="--replace overwrites it"
            )
        if not registry.load(name).is_remote and LocalGateway(context.paths, name).process is not None:
            raise OpenShellError(Code.CONFLICT, f"gateway {name!r} runs on this machine", hint="stop it first")
    where = Endpoint.parse(endpoint)
    if where.scheme == "http":
        _refuse_clear_text(where.host)
    content = {target: _pem(context, source) for target, source in files.items() if source is not None}
    mode = AUTH_PLAINTEXT if where.scheme == "http" else AUTH_MTLS if "tls.crt" in content else AUTH_TOKEN
    if name in registry.names():
        registry.remove(name)
    found = registry.save(name, where, is_remote=True, auth_mode=mode, credentials=content)
    chosen = ", selected" if registry.active_name() == name else ""
    context.out(f"gateway {found.name} registered at {found.endpoint}{chosen}")


def _refuse_clear_text(host: str) -> None:
    """Raise INVALID for http to anything but this machine: a token would cross the network readable."""
    try:
        parse_loopback(host)
    except OpenShellError:
        raise OpenShellError(
            Code.INVALID, f"http to {host[:80]!r} would send tokens in clear text", hint="use https"
        ) from None


def _pem(context: Context, source: str) -> bytes:
    path = context.path(source)
    data = read_small(path)
    if data is None:
        raise OpenShellError(Code.NOT_FOUND, f"file {path} does not exist")
    if b"-----BEGIN " not in data:
        raise OpenShellError(Code.INVALID, f"file {path} is not PEM")
    return data
