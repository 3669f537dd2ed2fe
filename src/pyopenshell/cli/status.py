"""`openshell status` and `openshell whoami`: is the gateway there, and who does it take us for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pyopenshell.cli.clients import client_of
from pyopenshell.cli.commands import Command, gateway_options, output_option
from pyopenshell.cli.context import Context
from pyopenshell.cli.output import show_one
from pyopenshell.errors import EXIT_ERROR, EXIT_OK, OpenShellError

if TYPE_CHECKING:
    from pyopenshell.sdk.client import Client


async def reach(client: Client) -> dict[str, Any]:
    """What can be told of a gateway that may not answer; `reachable` says whether it did."""
    found: dict[str, Any] = {"gateway": client.gateway.name, "endpoint": str(client.gateway.endpoint)}
    try:
        health, version = await client.health()
        found |= {
            "reachable": True,
            "health": health,
            "version": version,
            "round_trip_ms": round(await client.connection.ping() * 1000, 2),
        }
        found["user"] = (await client.whoami()).subject
        found["sandboxes"] = len(await client.sandboxes.list())
    except OpenShellError as error:
        found.setdefault("reachable", False)
        found["error"] = str(error)
    return found


@click.command(cls=Command, short_help="Tell whether the selected gateway answers.", example="openshell status -o json")
@output_option
@gateway_options
@click.pass_obj
async def status(context: Context, output: str) -> int:
    """Tell whether the selected gateway answers; exit status 1 where it does not."""
    async with client_of(context) as client:
        found = await reach(client)
    show_one(context, output, found)
    return EXIT_ERROR if "error" in found else EXIT_OK


@click.command(cls=Command, example="openshell whoami")
@output_option
@gateway_options
@click.pass_obj
async def whoami(context: Context, output: str) -> None:
    """Show who the gateway takes you for."""
    async with client_of(context) as client:
        user = await client.whoami()
    show_one(
        context,
        output,
        {
            "subject": user.subject,
            "display_name": user.display_name,
            "roles": list(user.roles),
            "scopes": list(user.scopes),
            "identity_provider": user.identity_provider,
            "gateway": client.gateway.name,
        },
    )
