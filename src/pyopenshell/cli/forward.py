"""`openshell forward service` (and `service forward`): a port of a sandbox on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
from typing import Any

import click

from pyopenshell.cli.clients import client_of, sandbox_of
from pyopenshell.cli.commands import Command, gateway_options, output_option
from pyopenshell.cli.completion import complete_sandbox
from pyopenshell.cli.context import Context
from pyopenshell.cli.output import clean, show_record
from pyopenshell.model import PORT_MAX, Outcome, TcpTarget
from pyopenshell.sdk.forward import Closed

DEFAULT_ADDRESS = "127.0.0.1"
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def parse_local(_ctx: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, int]:
    """`PORT`, `:PORT`, `ADDRESS:PORT` or `[IPv6]:PORT`; the address is an IP literal or `localhost`."""
    address, _, port = text.rpartition(":")
    address = address.removeprefix("[").removesuffix("]") or DEFAULT_ADDRESS
    if not port.isdecimal() or not port.isascii() or int(port) > PORT_MAX:
        raise click.BadParameter(f"{text[:60]!r} is not [ADDRESS:]PORT with a port from 0 to {PORT_MAX}")
    if address != "localhost":
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise click.BadParameter(f"{address[:60]!r} is not an IP address") from None
    return address, int(port)


@click.command(
    cls=Command,
    name="service",
    short_help="Carry connections to this machine into a sandbox.",
    example="openshell forward service web --target-port 8000 --local 8080\n"
    "openshell service forward web --target-port 8000",
)
@click.argument("name", required=False, shell_complete=complete_sandbox)
@click.option("--target-port", type=int, required=True, help="Port in the sandbox.")
@click.option("--target-host", default="127.0.0.1", show_default=True, help="Loopback address in the sandbox.")
@click.option(
    "--local",
    "local",
    default="0",
    callback=parse_local,
    metavar="[ADDR:]PORT",
    help="Where to listen. Default: any port.",
)
@output_option
@gateway_options
@click.pass_obj
async def service(
    context: Context, name: str | None, target_port: int, target_host: str, local: tuple[str, int], output: str
) -> int:
    """Listen on this machine and carry every TCP connection to a port of the sandbox, until Ctrl-C.

    The address is printed once connections are accepted. The listener outlives restarts of the sandbox's supervisor and of
    the gateway; the error of one connection is told and touches no other.
    """
    target = TcpTarget(target_host, target_port)
    ended = asyncio.Event()
    with context.hearing(*((number, ended.set) for number in _ENDS)):
        async with client_of(context) as client:
            name = sandbox_of(context, client, name)
            errors = Errors(context)
            async with client.forward(name, target, local, errors.closed) as running:
                shown = address_text(*running.address)
                line = f"forwarding {shown} to {name} {target.host}:{target.port}"
                data: dict[str, Any] = {
                    "address": running.address[0],
                    "port": running.address[1],
                    "sandbox": name,
                    "target_host": target.host,
                    "target_port": target.port,
                }
                show_record(context, output, data, line)
                await ended.wait()
    return 0


class Errors:
    """Tells of connections that failed: the same reason over and over is told once, until something worked."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._last = ""

    def closed(self, how: Closed) -> None:
        if how.outcome in (Outcome.COMPLETED, Outcome.BROKEN_NEAR):
            self._last = ""
            return
        if how.reason != self._last:
            self._last = how.reason
            self._context.err(f"connection from {how.peer} failed: {clean(how.reason)}")


def address_text(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
