"""`openshell sandbox logs` and `watch`: what a sandbox wrote, and what becomes of it."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import click

from pyopenshell.cli.clients import client_of, sandbox_of
from pyopenshell.cli.commands import Command, gateway_options, output_option
from pyopenshell.cli.completion import complete_sandbox
from pyopenshell.cli.context import Context
from pyopenshell.cli.output import clean, plain, show_record
from pyopenshell.sdk.types import LogLine, PlatformEvent, Sandbox, WatchEvent, WatchWarning

TAIL_ALL = 100_000  # lines; far over what a gateway keeps


@click.command(cls=Command, short_help="Show the log of a sandbox.", example="openshell sandbox logs web --follow")
@click.argument("name", required=False, shell_complete=complete_sandbox)
@click.option("-f", "--follow", is_flag=True, help="Go on as new lines come.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=0, help="Only the last ones. Default: all that are kept."
)
@output_option
@gateway_options
@click.pass_obj
async def logs(context: Context, name: str | None, follow: bool, lines: int, output: str) -> None:
    """Show the log of a sandbox: its main process's output and what its supervisor says. JSON is one object a line."""
    async with client_of(context) as client:
        name = sandbox_of(context, client, name, remember=False)
        if not follow:
            for line in await client.sandboxes.logs(name, lines=lines):
                show_event(context, output, line)
            return
        async for event in client.sandboxes.watch(name, status=False, logs=True, tail=lines or TAIL_ALL):
            if isinstance(event, (LogLine, WatchWarning)):
                show_event(context, output, event)


@click.command(cls=Command, example="openshell sandbox watch web -o json")
@click.argument("name", required=False, shell_complete=complete_sandbox)
@output_option
@gateway_options
@click.pass_obj
async def watch(context: Context, name: str | None, output: str) -> None:
    """Follow the state of a sandbox until it is deleted. JSON is one object a line."""
    async with client_of(context) as client:
        name = sandbox_of(context, client, name, remember=False)
        async for event in client.sandboxes.watch(name, status=True, events=True):
            show_event(context, output, event)


def show_event(context: Context, output: str, event: WatchEvent) -> None:
    """One event as one line (or one document)."""
    kind, line = describe(event)
    data: dict[str, Any] = plain(event)
    show_record(context, output, {"kind": kind} | data, line)


def describe(event: WatchEvent) -> tuple[str, str]:
    """The kind of an event, and the line that people read."""
    match event:
        case LogLine():
            stamp = f"{event.time.astimezone(UTC):%H:%M:%S} " if event.time else ""
            source = clean(event.source or event.target)
            return "log", f"{stamp}{clean(event.level).upper():<5} {source}: {clean(event.message, keep=chr(9))}"
        case Sandbox():
            code = f", exit {event.exit_code}" if event.exit_code is not None else ""
            reason = f": {clean(event.reason)}" if event.reason else ""
            return "sandbox", f"{event.name} is {event.phase.label.lower()}{code}{reason}"
        case PlatformEvent():
            stamp = f"{event.time.astimezone(UTC):%H:%M:%S} " if event.time else ""
            return "event", f"{stamp}{clean(event.reason or event.type)}: {clean(event.message)}"
        case WatchWarning():
            return "warning", f"warning: {clean(event.message)}"
