"""`openshell sandbox`: look at sandboxes, start, stop and delete them. The longer commands have files of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from pyopenshell.cli.clients import client_of, sandbox_of
from pyopenshell.cli.commands import Command, gateway_options, output_option
from pyopenshell.cli.completion import complete_sandbox
from pyopenshell.cli.context import Context
from pyopenshell.cli.output import age, show_list, show_one
from pyopenshell.cli.progress import Progress
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.last_used import LastUsed
from pyopenshell.sdk.types import Sandbox


def row(found: Sandbox) -> dict[str, Any]:
    """A sandbox as a program reads it."""
    return {
        "id": found.id,
        "name": found.name,
        "phase": found.phase,
        "unreachable_since": found.unreachable_since,
        "reason": found.reason,
        "host": found.host,
        "exit_code": found.exit_code,
        "created": found.created,
        "labels": dict(found.labels),
        "command": list(found.command),
        "workdir": found.workdir,
        "source": found.source,
        "facts": dict(found.facts),
        "host_key_fingerprint": found.host_key_fingerprint,
        "restart_count": found.restart_count,
    }


def shown(found: Sandbox, now: datetime) -> dict[str, Any]:
    """What people read in a table: how old it is, and for how long nobody has heard of it."""
    since = found.unreachable_since
    phase = f"Unreachable {age(since, now)}" if since is not None else found.phase
    return {"age": age(found.created, now), "shown_phase": phase}


@click.command(cls=Command, name="list", example="openshell sandbox list --label team=web -o json")
@click.option("-l", "--label", "labels", multiple=True, metavar="K=V", help="Only those with this label; repeatable.")
@output_option
@gateway_options
@click.pass_obj
async def list_(context: Context, labels: tuple[str, ...], output: str) -> None:
    """List sandboxes."""
    async with client_of(context) as client:
        found = await client.sandboxes.list(",".join(labels))
    now = datetime.now(UTC)
    rows = [row(one) | (shown(one, now) if output == "table" else {}) for one in found]
    columns = {"NAME": "name", "PHASE": "shown_phase", "AGE": "age", "EXIT": "exit_code", "LABELS": "labels"}
    if any(one.host for one in found):
        columns["HOST"] = "host"
    show_list(context, output, rows, columns)


@click.command(cls=Command, short_help="Show one sandbox.", example="openshell sandbox get web -o yaml")
@click.argument("name", required=False, shell_complete=complete_sandbox)
@output_option
@gateway_options
@click.pass_obj
async def get(context: Context, name: str | None, output: str) -> None:
    """Show one sandbox: phase, labels, facts of its isolation, host key."""
    async with client_of(context) as client:
        found = await client.sandboxes.get(sandbox_of(context, client, name, remember=False))
    show_one(context, output, row(found))


@click.command(cls=Command, example="openshell sandbox start web")
@click.argument("name", required=False, shell_complete=complete_sandbox)
@output_option
@gateway_options
@click.pass_obj
async def start(context: Context, name: str | None, output: str) -> None:
    """Start a sandbox that stands still; its main process runs again."""
    async with client_of(context) as client:
        name = sandbox_of(context, client, name)
        async with Progress(context, f"starting {name}") as progress:
            await client.sandboxes.start(name)
            found = await client.sandboxes.wait_ready(
                name, progress=lambda seen: progress.say(f"{name}: {seen.phase.label.lower()}")
            )
    tell(context, output, found, f"sandbox {found.name} is {found.phase.label.lower()}")


@click.command(cls=Command, short_help="End every process of a sandbox.", example="openshell sandbox stop web")
@click.argument("name", required=False, shell_complete=complete_sandbox)
@output_option
@gateway_options
@click.pass_obj
async def stop(context: Context, name: str | None, output: str) -> None:
    """End every process of a sandbox; its workspace stays for the next start."""
    async with client_of(context) as client:
        name = sandbox_of(context, client, name, remember=False)
        async with Progress(context, f"stopping {name}"):
            found = await client.sandboxes.stop(name)
    tell(context, output, found, f"sandbox {found.name} is {found.phase.label.lower()}")


@click.command(cls=Command, example="openshell sandbox delete web\nopenshell sandbox delete --all --yes")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_sandbox)
@click.option("--all", "everything", is_flag=True, help="Every sandbox of the gateway.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--allow-missing", is_flag=True, help="A sandbox that does not exist is no error.")
@gateway_options
@click.pass_context
async def delete(ctx: click.Context, names: tuple[str, ...], everything: bool, yes: bool, allow_missing: bool) -> int:
    """Delete sandboxes and their workspaces.

    On a terminal --all, and a name left out (the last used sandbox), ask first. Without a terminal --all goes ahead, and a
    name must be given.
    """
    context: Context = ctx.obj
    if everything and names:
        raise click.UsageError("give names or --all, not both", ctx)
    async with client_of(context) as client:
        if everything:
            names = tuple(one.name for one in await client.sandboxes.list())
            question = f"delete all {len(names)} sandboxes of gateway {client.gateway.name}?"
        elif not names:
            if not (yes or context.interactive):
                raise click.UsageError("name the sandbox to delete, or give --all", ctx)
            names = (sandbox_of(context, client, None),)
            question = f"delete sandbox {names[0]}?"
        else:
            question = ""
        if question and names and not yes and context.interactive and not await context.ask(question):
            context.err("nothing was deleted")
            return 1
        return await _delete(context, client, names, allow_missing or everything)


async def _delete(context: Context, client: Client, names: tuple[str, ...], allow_missing: bool) -> int:
    """Delete each; one that fails does not keep the others. Raises the first error at the end."""
    failed: OpenShellError | None = None
    for name in names:
        try:
            async with Progress(context, f"deleting {name}"):
                was_there = await client.sandboxes.delete(name, allow_missing=allow_missing)
        except OpenShellError as error:
            if error.code in (Code.BROKEN, Code.UNAVAILABLE) or len(names) == 1:
                raise
            if failed is not None:
                context.err(f"error: {failed}")
            failed = error
            continue
        LastUsed(context.paths).forget(client.gateway.name, name)
        context.out(f"sandbox {name} deleted" if was_there else f"sandbox {name} does not exist")
    if failed is not None:
        raise failed
    return 0


def tell(context: Context, output: str, found: Sandbox, line: str) -> None:
    """The result of an act: one line, or the whole sandbox for a program."""
    if output == "table":
        context.out(line)
    else:
        show_one(context, output, row(found))
