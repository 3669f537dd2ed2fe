"""`openshell gateway invite`, `users`, `revoke`: who may use a gateway. The invitation is alone on standard output."""

from __future__ import annotations

from typing import Any

import click

from pyopenshell.cli.clients import client_of
from pyopenshell.cli.commands import Command, gateway_options, output_option
from pyopenshell.cli.context import Context
from pyopenshell.cli.output import show_list, show_one
from pyopenshell.cli.token import parse_ttl
from pyopenshell.sdk.enrolment import Member
from pyopenshell.sdk.invitation import Address, Invitation, Invited

ROLES = click.Choice([role.value for role in Invited])
_TAKE = {
    Invited.USER: "on their machine: openshell gateway add LINE",
    Invited.HOST: "on that host: openshell-supervisor serve LINE, or join LINE",
    Invited.PROXY: "on the proxy's machine: openshell gateway add LINE --certificate-to DIR",
}


def row(found: Member) -> dict[str, Any]:
    """A principal or an open invitation as a program reads it."""
    return {
        "name": found.name,
        "role": found.role,
        "scopes": list(found.scopes),
        "invited": found.invited,
        "invited_by": found.invited_by,
        "created": found.created,
        "expires": found.expires,
        "revoked": found.revoked,
    }


def shown(found: Member) -> dict[str, str]:
    """What people read in a table, narrow: until which day, or why not."""
    until = f"{found.expires:%Y-%m-%d}" if found.expires else "never"
    state = "revoked" if found.revoked else "invited" if found.invited else until
    scopes = " ".join(found.scopes) or ("all" if found.role == Invited.USER else "")
    return {"shown_name": found.name or "(anybody)", "until": state, "shown_scopes": scopes}


@click.command(cls=Command, example="openshell gateway invite ada --ttl 1h")
@click.argument("name", required=False)
@click.option("--role", type=ROLES, default=Invited.USER.value, help="Whom it makes of its taker. Default: user.")
@click.option("--ttl", callback=parse_ttl, metavar="TIME", help="How long it may be taken: 90, 15m, 12h. Default: 1h.")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="What a user may; repeatable. Default: all.")
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="HOST:PORT",
    help="Where the taker finds this gateway; repeatable. Default: as the gateway knows it.",
)
@output_option
@gateway_options
@click.pass_obj
async def invite(
    context: Context,
    name: str | None,
    role: str,
    ttl: float | None,
    scopes: tuple[str, ...],
    addresses: tuple[str, ...],
    output: str,
) -> None:
    """Print an invitation: one line, a secret that works once. Without NAME its taker chooses one."""
    places = [Address.parse(text) for text in addresses]
    invited = Invited(role)
    async with client_of(context) as client:
        line, until = await client.enrolment.invite(invited, name=name or "", scopes=scopes, ttl=ttl, addresses=places)
    _advise(context, line, name or "", f"{until:%Y-%m-%d %H:%M} UTC" if until else "it is taken")
    if output == "table":
        context.out(str(line))
    else:
        parts = {"role": role, "name": name or "", "addresses": [str(one) for one in line.addresses], "expires": until}
        show_one(context, output, {"invitation": str(line)} | parts)


def _advise(context: Context, line: Invitation, name: str, until: str) -> None:
    context.err(f"an invitation for {line.role} {name or 'of any name'}, good once, until {until}; {_TAKE[line.role]}")
    if all(address.loopback for address in line.addresses):
        context.err(
            "warning: it leads to this machine alone; --address HOST:PORT names another way, and "
            "'openshell gateway start --bind 0.0.0.0:PORT --san NAME' opens a gateway"
        )


@click.command(cls=Command, example="openshell gateway users")
@output_option
@gateway_options
@click.pass_obj
async def users(context: Context, output: str) -> None:
    """List who may use a gateway, and the invitations that are open."""
    async with client_of(context) as client:
        found = await client.enrolment.list()
    columns = {"NAME": "shown_name", "ROLE": "role", "UNTIL": "until", "SCOPES": "shown_scopes"}
    show_list(context, output, [row(one) | (shown(one) if output == "table" else {}) for one in found], columns)


@click.command(cls=Command, example="openshell gateway revoke ada")
@click.argument("name")
@click.option("--role", type=ROLES, help="Which one, where two have the name.")
@output_option
@gateway_options
@click.pass_obj
async def revoke(context: Context, name: str, role: str | None, output: str) -> None:
    """End what a user, host or proxy may; what they have open is cut."""
    async with client_of(context) as client:
        found = await client.enrolment.revoke(name, Invited(role) if role else None)
    if output == "table":
        context.out(f"{found.role} {found.name} revoked")
    else:
        show_one(context, output, row(found))
