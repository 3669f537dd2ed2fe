"""`openshell token`: API tokens of users. The secret is printed once, alone on standard output, so it can be piped."""

from __future__ import annotations

import re
from typing import Any

import click

from pyopenshell.cli.clients import client_of
from pyopenshell.cli.commands import Command, gateway_options, output_option
from pyopenshell.cli.context import Context
from pyopenshell.cli.output import show_list, show_one
from pyopenshell.sdk.types import Token

_TTL = re.compile(r"([0-9]+)(s|m|h|d)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_ttl(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """Seconds from `90`, `15m`, `12h`, `30d`; `0` is without an end."""
    if text is None:
        return None
    found = _TTL.fullmatch(text)
    if not found:
        raise click.BadParameter(f"{text[:40]!r} is not a time; use 90, 15m, 12h or 30d")
    return float(int(found[1]) * _SECONDS[found[2] or "s"])


def row(found: Token) -> dict[str, Any]:
    """A token as a program reads it."""
    return {
        "id": found.id,
        "name": found.name,
        "subject": found.subject,
        "scopes": list(found.scopes),
        "created": found.created,
        "expires": found.expires,
        "revoked": found.revoked,
    }


def shown(found: Token) -> dict[str, str]:
    """What people read in a table, narrow: no scopes are all, and an end is a day."""
    end = f"{found.expires:%Y-%m-%d}" if found.expires else "never"
    return {"shown_scopes": " ".join(found.scopes) or "all", "end": "revoked" if found.revoked else end}


@click.command(cls=Command, example="openshell token create ci --ttl 7d --scope exec > token")
@click.argument("name")
@click.option(
    "--ttl", callback=parse_ttl, metavar="TIME", help="90 (seconds), 15m, 12h, 30d; 0 never ends. Default: 30d."
)
@click.option(
    "--scope", "scopes", multiple=True, metavar="SCOPE", help="What it may do; repeatable. Default: all you may."
)
@output_option
@gateway_options
@click.pass_obj
async def create(context: Context, name: str, ttl: float | None, scopes: tuple[str, ...], output: str) -> None:
    """Make a token. Its secret is shown this once; the gateway keeps a hash."""
    async with client_of(context) as client:
        made, secret = await client.tokens.create(name, scopes=scopes, ttl=ttl)
    if output == "table":
        until = f", until {made.expires:%Y-%m-%d %H:%M} UTC" if made.expires else ", without an end"
        context.err(f"token {made.name} made{until}; its secret is shown this once")
        context.out(secret)
    else:
        show_one(context, output, row(made) | {"secret": secret})


@click.command(cls=Command, name="list", example="openshell token list")
@output_option
@gateway_options
@click.pass_obj
async def list_(context: Context, output: str) -> None:
    """List tokens, without their secrets."""
    async with client_of(context) as client:
        found = await client.tokens.list()
    columns = {"NAME": "name", "SCOPES": "shown_scopes", "EXPIRES": "end", "ID": "id"}
    rows = [row(one) | (shown(one) if output == "table" else {}) for one in found]
    show_list(context, output, rows, columns)


@click.command(cls=Command, example="openshell token revoke ci")
@click.argument("token")
@output_option
@gateway_options
@click.pass_obj
async def revoke(context: Context, token: str, output: str) -> None:
    """Revoke a token by name or id; what it opened is cut."""
    async with client_of(context) as client:
        found = await client.tokens.revoke(token)
    if output == "table":
        context.out(f"token {found.name} revoked")
    else:
        show_one(context, output, row(found))
