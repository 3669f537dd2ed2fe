"""`openshell bench`: prints the table, or JSON with every figure, the reference's and the bare machine's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator

import click

from pyopenshell.cli.bench.memory import Ask
from pyopenshell.cli.bench.report import table
from pyopenshell.cli.bench.rows import reference
from pyopenshell.cli.bench.run import Bench
from pyopenshell.cli.clients import client_of, sandbox_of
from pyopenshell.cli.commands import Command, gateway_options
from pyopenshell.cli.completion import complete_sandbox
from pyopenshell.cli.context import Context
from pyopenshell.cli.output import clean
from pyopenshell.errors import EXIT_ERROR, EXIT_OK
from pyopenshell.sdk.types import Process


@click.command(
    cls=Command,
    short_help="Time the main job on a sandbox.",
    example="openshell bench web --iters 15 --storm 50\nopenshell bench web --json > bench.json",
)
@click.argument("name", required=False, shell_complete=complete_sandbox)
@click.option(
    "--iters", type=click.IntRange(1, 1000), default=15, show_default=True, help="Runs behind each percentile."
)
@click.option(
    "--storm", type=click.IntRange(1, 500), default=50, show_default=True, help="Commands at once in the storm."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
@gateway_options
@click.pass_obj
def bench(context: Context, name: str | None, iters: int, storm: int, as_json: bool) -> int:
    """Time the main job on a sandbox, beside the compiled reference and the bare machine."""
    # Not a coroutine: what is timed are other processes, and Ctrl-C must reach whatever waits for one of them.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    sandbox, gateway = asyncio.run(_look_up(context, name))
    openshell = [*context.program, "--gateway", gateway]
    environ = dict(context.environ)
    run = Bench(
        openshell,
        sandbox,
        environ,
        lambda: _asking(context, sandbox),
        iters,
        storm,
        lambda text: _progress(context, text),
    )
    run.run()
    return show(context, run, as_json=as_json)


async def _look_up(context: Context, name: str | None) -> tuple[str, str]:
    """Names of the sandbox and of its gateway."""
    async with client_of(context) as client:
        return sandbox_of(context, client, name), client.gateway.name


def show(context: Context, run: Bench, *, as_json: bool) -> int:
    """Print what `run` found; the exit status says whether everything that was tried worked."""
    if as_json:
        found = {"figures": run.figures, "bare_machine": run.limits, "reference": reference(), "notes": run.notes}
        context.out(json.dumps(found, indent=2))
    else:
        context.out(table(run.figures, run.limits, reference()))
    for note in run.notes:
        context.err(f"note: {clean(note)}")
    return EXIT_ERROR if run.figures["failures"] else EXIT_OK


def _progress(context: Context, text: str) -> None:
    if context.is_terminal(context.stderr):
        context.err(f"measuring: {text}")


@contextlib.asynccontextmanager
async def _asking(context: Context, sandbox: str) -> AsyncIterator[Ask]:
    """How to ask the gateway for its processes and those of the sandbox, on one connection."""
    async with client_of(context) as client:

        async def ask() -> list[Process]:
            return await client.processes() + await client.processes(sandbox)

        yield ask
