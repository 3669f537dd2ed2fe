"""`openshell host`: the machines that run sandboxes for a gateway."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from pyopenshell.cli.clients import client_of
from pyopenshell.cli.commands import Command, gateway_options, output_option
from pyopenshell.cli.context import Context
from pyopenshell.cli.output import age, show_list, show_one
from pyopenshell.sdk.hosts import Host


def state(found: Host) -> str:
    """What a host is good for now, in a word."""
    if not found.connected:
        return "lost" if found.since else "never came"
    return "draining" if found.draining else "connected"


def row(found: Host) -> dict[str, Any]:
    """A host as a program reads it."""
    return {
        "name": found.name,
        "state": state(found),
        "since": found.since,
        "address": found.address,
        "sandboxes": found.sandboxes,
        "running": found.running,
        "max_sandboxes": found.max_sandboxes or None,
        "draining": found.draining,
        "joined": found.joined,
        "labels": dict(found.labels),
        "facts": dict(found.facts),
        "unknown_sandboxes": list(found.unknown),
        "version": found.version,
    }


def shown(found: Host, now: datetime) -> dict[str, str]:
    """What people read in a table: how full it is, and how long it has been as it is."""
    room = f"{found.sandboxes}/{found.max_sandboxes}" if found.max_sandboxes else str(found.sandboxes)
    return {"room": room, "for": age(found.since, now)}


@click.command(cls=Command, name="list", example="openshell host list")
@output_option
@gateway_options
@click.pass_obj
async def list_(context: Context, output: str) -> None:
    """List the hosts of a gateway, lost ones too."""
    async with client_of(context) as client:
        found = await client.hosts.list()
    now = datetime.now(UTC)
    rows = [row(one) | (shown(one, now) if output == "table" else {}) for one in found]
    columns = {"NAME": "name", "STATE": "state", "FOR": "for", "SANDBOXES": "room", "LABELS": "labels"}
    show_list(context, output, rows, columns)
    for one in found:
        if one.unknown:
            context.err(
                f"host {one.name} holds {len(one.unknown)} sandboxes that this gateway does not know: "
                f"'openshell host get {one.name}' lists them, 'openshell host prune {one.name}' removes their files"
            )


@click.command(cls=Command, short_help="Show one host.", example="openshell host get lab1 -o yaml")
@click.argument("name")
@output_option
@gateway_options
@click.pass_obj
async def get(context: Context, name: str, output: str) -> None:
    """Show one host: since when it is connected or lost, its labels, what its isolation is like."""
    async with client_of(context) as client:
        found = await client.hosts.get(name)
    show_one(context, output, row(found))


@click.command(cls=Command, example="openshell host drain lab1\nopenshell host drain lab1 --undo")
@click.argument("name")
@click.option("--undo", is_flag=True, help="Place sandboxes on it again.")
@output_option
@gateway_options
@click.pass_obj
async def drain(context: Context, name: str, undo: bool, output: str) -> None:
    """Place no more sandboxes on a host. Those that are there run on."""
    async with client_of(context) as client:
        found = await client.hosts.drain(name, undo=undo)
    if output == "table":
        context.out(
            f"host {found.name} takes sandboxes again" if undo else f"host {found.name} takes no more sandboxes"
        )
    else:
        show_one(context, output, row(found))


@click.command(cls=Command, short_help="Forget a host.", example="openshell host remove lab1")
@click.argument("name")
@click.option(
    "--force", is_flag=True, help="Also with sandboxes on it: they are forgotten, and their files stay there."
)
@gateway_options
@click.pass_obj
async def remove(context: Context, name: str, force: bool) -> None:
    """Forget a host and refuse its certificate from now on. Delete its sandboxes first, or give --force."""
    async with client_of(context) as client:
        gone = await client.hosts.remove(name, force=force)
    context.out(f"host {name} removed")
    if gone:
        context.err(f"forgotten with it: {', '.join(gone)}")


@click.command(
    cls=Command, short_help="Remove what the gateway does not know.", example="openshell host prune lab1 --yes"
)
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@gateway_options
@click.pass_obj
async def prune(context: Context, name: str, yes: bool) -> int:
    """End the sandboxes on a host that this gateway does not know, and remove their files.

    There are such after the gateway's database was put back from a backup. On a terminal it asks first.
    """
    async with client_of(context) as client:
        unknown = (await client.hosts.get(name)).unknown
        question = f"remove the files of {len(unknown)} sandboxes on host {name}?"
        if unknown and not yes and context.interactive and not await context.ask(question):
            context.err("nothing was removed")
            return 1
        gone = await client.hosts.prune(name) if unknown else ()
    context.out(f"{len(gone)} sandboxes removed from host {name}")
    return 0
