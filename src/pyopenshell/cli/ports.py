"""`openshell sandbox ports`: what listens in a sandbox. Addresses and names are the sandbox's own words, shown cleaned."""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing
from typing import Any

import click

from pyopenshell.cli.clients import client_of, sandbox_of
from pyopenshell.cli.commands import Command, gateway_options, output_option
from pyopenshell.cli.completion import complete_sandbox
from pyopenshell.cli.context import Context
from pyopenshell.cli.output import show_list, show_record
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.ports import ListeningPort, Ports, listening, watch

COLUMNS = {"PORT": "shown_port", "ADDRESS": "address", "PROCESS": "process", "PID": "pid"}


def row(one: ListeningPort) -> dict[str, Any]:
    """A port as a program reads it; `pid` is null where it is not known."""
    return {
        "port": one.port,
        "protocol": "udp" if one.udp else "tcp",
        "address": one.address,
        "process": one.process,
        "pid": one.pid or None,
    }


@click.command(
    cls=Command,
    short_help="Show what listens in a sandbox.",
    example="openshell sandbox ports web\nopenshell sandbox ports web --watch -o json",
)
@click.argument("name", required=False, shell_complete=complete_sandbox)
@click.option("-w", "--watch", "watching", is_flag=True, help="Show it again at each change, until Ctrl-C.")
@output_option
@gateway_options
@click.pass_obj
async def ports(context: Context, name: str | None, watching: bool, output: str) -> int:
    """Show the TCP and UDP ports that processes of a sandbox have open, and which processes.

    A process that came by SSH's own channel may stay without a name.
    """
    async with client_of(context) as client:
        name = sandbox_of(context, client, name)
        if watching:
            return await _watch(context, client, name, output)
        _show(context, output, await listening(client.connection, name))
    return 0


async def _watch(context: Context, client: Client, name: str, output: str) -> int:
    task = asyncio.current_task()
    assert task is not None
    asked = False

    def end() -> None:
        nonlocal asked
        asked = True
        task.cancel()

    with context.hearing((signal.SIGINT, end), (signal.SIGTERM, end), (signal.SIGHUP, end)):
        try:
            async with aclosing(watch(client.connection, name)) as snapshots:
                async for found in snapshots:
                    if output == "table":
                        _show(context, output, found)
                        context.out("")
                    else:
                        data = {"ports": [row(one) for one in found.ports], "truncated": found.truncated}
                        show_record(context, output, data, "")
        except asyncio.CancelledError:
            if not asked:
                raise
            task.uncancel()
    return 0


def _show(context: Context, output: str, found: Ports) -> None:
    rows = [row(one) for one in found.ports]
    if output == "table":
        for one in rows:
            one["shown_port"] = f"{one['port']}/udp" if one["protocol"] == "udp" else str(one["port"])
    show_list(context, output, rows, COLUMNS)
    if found.truncated:
        context.err("there is more than was read")
