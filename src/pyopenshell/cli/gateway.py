"""`openshell gateway`: the gateways that are known here, and the local one: start, stop, status."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from pyopenshell.cli.clients import client_of, token_of
from pyopenshell.cli.commands import Command, complete_gateway, gateway_options, output_option
from pyopenshell.cli.context import Context
from pyopenshell.cli.output import show_list, show_one
from pyopenshell.cli.progress import Progress
from pyopenshell.cli.status import reach
from pyopenshell.errors import EXIT_ERROR, EXIT_OK, Code, OpenShellError
from pyopenshell.sdk.gateways import Gateway, Registry
from pyopenshell.sdk.local_gateway import DEFAULT_NAME, LocalGateway
from pyopenshell.sdk.opening import Opening


def row(found: Gateway, active: str) -> dict[str, Any]:
    """A gateway as a program reads it."""
    return {
        "name": found.name,
        "endpoint": str(found.endpoint),
        "active": found.name == active,
        "is_remote": found.is_remote,
        "auth_mode": found.auth_mode,
    }


@click.command(
    cls=Command,
    example="openshell gateway start\nopenshell gateway start lab --bind 0.0.0.0:17670 --san lab.example",
)
@click.argument("name", default=DEFAULT_NAME, shell_complete=complete_gateway)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes any. Default: the one it had, or any."
)
@click.option(
    "--bind",
    metavar="ADDR[:PORT]",
    help="Address to listen on: 0.0.0.0 or [::] lets other machines in, 127.0.0.1 none. Default: as before.",
)
@click.option(
    "--san",
    "names",
    multiple=True,
    metavar="NAME",
    help="Name or address by which others reach it; repeatable. Default: as before.",
)
@click.option("--config", metavar="FILE", help="Configuration of the gateway (TOML). Default: your own config.toml.")
@output_option
@click.pass_obj
async def start(
    context: Context,
    name: str,
    port: int | None,
    bind: str | None,
    names: tuple[str, ...],
    config: str | None,
    output: str,
) -> None:
    """Start a gateway on this machine, in the background, and register it.

    One that runs already is left alone, and refused where another port or configuration is asked for. One that is just being
    stopped is waited for, and started anew.
    """
    local = LocalGateway(context.paths, name)
    file = context.path(config) if config else None
    if file is not None and not file.is_file():
        raise OpenShellError(Code.NOT_FOUND, f"configuration {file} does not exist")
    opening = Opening.asked(bind or "", names, port)
    async with Progress(context, f"starting gateway {name}"):
        started = await asyncio.to_thread(
            local.start, context.environ, opening=opening, config=file, default_config=context.config_file
        )
    if started.warning:
        context.err(f"warning: {started.warning}")
    found = started.gateway
    if output == "table":
        verb = "serves" if started.fresh else "already runs"
        where = f", configuration {started.config}" if started.config else ""
        context.out(f"gateway {found.name} {verb} at {found.endpoint}, process {started.process.pid}{where}")
        if started.stale:
            context.err(
                f"its configuration has changed since it was started: "
                f"'openshell gateway stop {found.name}' and start it again to apply that"
            )
    else:
        data = row(found, Registry(context.paths).active_name())
        about = {"config": started.config, "stale": started.stale}
        show_one(context, output, data | {"pid": started.process.pid, "fresh": started.fresh} | about)


@click.command(cls=Command, example="openshell gateway stop")
@click.argument("name", required=False, shell_complete=complete_gateway)
@click.pass_obj
async def stop(context: Context, name: str | None) -> None:
    """Stop a gateway of this machine. Its sandboxes go on running; the next start takes them over."""
    registry = Registry(context.paths)
    found = registry.resolve(name or "")
    if found.is_remote:
        raise OpenShellError(Code.INVALID, f"gateway {found.name!r} runs elsewhere, at {found.endpoint}")
    async with Progress(context, f"stopping gateway {found.name}"):
        ended = await asyncio.to_thread(LocalGateway(context.paths, found.name).stop)
    context.out(f"gateway {found.name} stopped" if ended else f"gateway {found.name} was not running")


@click.command(cls=Command, short_help="Tell whether a gateway runs and answers.", example="openshell gateway status")
@click.argument("name", required=False, shell_complete=complete_gateway)
@output_option
@click.pass_obj
async def status(context: Context, name: str | None, output: str) -> int:
    """Tell whether a gateway runs and answers; exit status 1 where it does not."""
    from pyopenshell.sdk.client import Client
    from pyopenshell.sdk.connection import proxy_of

    found = Registry(context.paths).resolve(name or context.chosen_gateway)
    data: dict[str, Any] = {}
    if not found.is_remote:
        process = LocalGateway(context.paths, found.name).process
        data = {"running": process is not None, "pid": process.pid if process else None}
    async with Client(found, token_of(context), proxy=proxy_of(found, context.environ)) as client:
        data = await reach(client) | data
    show_one(context, output, data)
    return EXIT_ERROR if "error" in data else EXIT_OK


@click.command(cls=Command, name="list", example="openshell gateway list -o json")
@output_option
@click.pass_obj
def list_(context: Context, output: str) -> None:
    """List the gateways that are registered here."""
    registry = Registry(context.paths)
    active = registry.active_name()
    rows = []
    for name in registry.names():
        try:
            rows.append(row(registry.load(name), active))
        except OpenShellError as error:
            context.err(f"error: {error}")
    show_list(context, output, rows, {"NAME": "name", "ACTIVE": "active", "ENDPOINT": "endpoint", "AUTH": "auth_mode"})


@click.command(cls=Command, example="openshell gateway select lab")
@click.argument("name", shell_complete=complete_gateway)
@click.pass_obj
def select(context: Context, name: str) -> None:
    """Make a gateway the one that is meant where none is named."""
    Registry(context.paths).select(name)
    context.out(f"gateway {name} is selected")


@click.command(cls=Command, example="openshell gateway remove lab")
@click.argument("name", shell_complete=complete_gateway)
@click.pass_obj
def remove(context: Context, name: str) -> None:
    """Forget a gateway and the credentials for it. A local one must be stopped first; its state stays."""
    registry = Registry(context.paths)
    registry.directory(name)
    process = LocalGateway(context.paths, name).process
    if process is not None and name in registry.names():
        raise OpenShellError(
            Code.CONFLICT,
            f"gateway {name!r} runs, process {process.pid}",
            hint=f"'openshell gateway stop {name}' first",
        )
    registry.remove(name)
    context.out(f"gateway {name} removed")


@click.command(cls=Command, example="openshell gateway info -o yaml")
@click.argument("name", required=False, shell_complete=complete_gateway)
@output_option
@gateway_options
@click.pass_obj
async def info(context: Context, name: str | None, output: str) -> None:
    """Show a gateway: its registration, version and drivers."""
    if name:
        context.gateway = name
    async with client_of(context) as client:
        data = row(client.gateway, Registry(context.paths).active_name())
        found = await client.info()
    show_one(context, output, data | {"status": found.status, "version": found.version, "drivers": list(found.drivers)})
