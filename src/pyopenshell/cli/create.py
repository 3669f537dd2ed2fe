"""`openshell sandbox create`: ask for a sandbox, wait until a command can run in it, and with --attach stay with its own.

Where no gateway is registered at all, a local one is started first: the first command of a fresh machine works.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import click

from pyopenshell.cli.attach import attach
from pyopenshell.cli.clients import client_of
from pyopenshell.cli.commands import Command, gateway_options, output_option, pairs
from pyopenshell.cli.context import Context
from pyopenshell.cli.progress import Progress
from pyopenshell.cli.sandbox import tell
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import HERE, Limits, Phase, Placement, SandboxSpec, check_name
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.gateways import Registry
from pyopenshell.sdk.last_used import LastUsed
from pyopenshell.sdk.local_gateway import LocalGateway
from pyopenshell.sdk.types import Sandbox
from pyopenshell.wire.sandbox_spec import parse_cpu, parse_memory


@click.command(
    cls=Command,
    takes_command=True,
    options_metavar="[OPTIONS]",
    example="openshell sandbox create web\n"
    "openshell sandbox create web --env PORT=8000 --memory 512Mi -- python3 -m http.server",
)
@click.argument("name", required=False)
@click.option(
    "--from", "source", metavar="DIR|TAR", help="Root file system: a directory or a tar file where the sandbox runs."
)
@click.option("--host", "host", default="", metavar="NAME", help="Run it on this host; 'here': the gateway's machine.")
@click.option("--host-label", "host_labels", multiple=True, metavar="K=V", help="On a host with this; repeatable.")
@click.option("--env", "env", multiple=True, metavar="K=V", help="Environment variable; repeatable.")
@click.option("--label", "labels", multiple=True, metavar="K=V", help="Label; repeatable.")
@click.option("--workdir", default="", metavar="DIR", help="Directory in the sandbox.")
@click.option("--cpu", metavar="CORES", help="Limit: 2, 0.5 or 500m.")
@click.option("--memory", metavar="BYTES", help="Limit: 512Mi, 2G.")
@click.option(
    "--limits",
    "limits_mode",
    type=click.Choice(["strict", "best-effort"]),
    default="strict",
    show_default=True,
    help="Whether limits that the machine cannot hold are refused.",
)
@click.option("--attach", "attached", is_flag=True, help="Stay with the main process; its exit status becomes ours.")
@output_option
@gateway_options
@click.pass_obj
async def create(
    context: Context,
    name: str | None,
    source: str | None,
    host: str,
    host_labels: tuple[str, ...],
    env: tuple[str, ...],
    labels: tuple[str, ...],
    workdir: str,
    cpu: str | None,
    memory: str | None,
    limits_mode: str,
    attached: bool,
    output: str,
    command: tuple[str, ...],
) -> int:
    """Create a sandbox and wait until a command can run in it.

    What follows '--' is its main process: argv as it stands, no shell added, its output in 'sandbox logs'. Without one the
    sandbox idles until it is stopped.
    """
    if attached and not command:
        raise click.UsageError("--attach needs a command behind '--'")
    if name is not None:
        check_name(name, "sandbox name")
    placed = host not in ("", HERE) or bool(host_labels)
    spec = SandboxSpec(
        source="" if source is None else source_of(context, source, placed=placed),
        env=pairs(env, "--env"),
        workdir=workdir,
        command=command,
        limits=Limits(
            parse_cpu(cpu) if cpu is not None else 0.0,
            parse_memory(memory) if memory is not None else 0,
            best_effort=limits_mode == "best-effort",
        ),
        placement=Placement(host, pairs(host_labels, "--host-label")),
    )
    await start_first_gateway(context)
    async with client_of(context) as client:
        made = await client.sandboxes.create(spec, name=name or "", labels=pairs(labels, "--label"), attached=attached)
        LastUsed(context.paths).set(client.gateway.name, made.name)
        try:
            if attached:
                return await attach(context, client, made.name)
            found = await _wait(context, client, made)
        except OpenShellError as error:
            if error.code is not Code.PRECONDITION:
                raise
            await client.sandboxes.delete(made.name)  # it never ran: nothing half-made is left behind
            raise OpenShellError(error.code, error.message, hint="nothing of it was kept") from error
    if found.phase is Phase.READY:
        line = f"sandbox {found.name} is ready"
    else:
        line = f"sandbox {found.name} started, and its command ended with status {found.exit_code or 0}"
    tell(context, output, found, line)
    return 0


def source_of(context: Context, text: str, *, placed: bool = False) -> str:
    """`dir:/path` or `tar:/path` for what --from named. Raises NOT_FOUND, INVALID.

    What is on another machine, a gateway's or the host's of a sandbox that is `placed`, is named in full, for it cannot be
    looked at from here.
    """
    kind, colon, rest = text.partition(":")
    full = kind in ("dir", "tar") and rest.startswith("/")
    if placed and not full:
        raise OpenShellError(
            Code.INVALID,
            f"--from: {text[:80]!r} is on the host, so its kind cannot be seen from here",
            hint="use dir:/PATH or tar:/PATH",
        )
    if full and (placed or _is_remote(context)):
        return text
    path: Path = context.path(rest if colon and kind in ("dir", "tar") else text).resolve()
    if not path.exists():
        raise OpenShellError(Code.NOT_FOUND, f"--from: {path} does not exist")
    if not (path.is_dir() or path.is_file()):
        raise OpenShellError(Code.INVALID, f"--from: {path} is neither a directory nor a tar file")
    return f"{'dir' if path.is_dir() else 'tar'}:{path}"


def _is_remote(context: Context) -> bool:
    """Whether the gateway that is meant runs on another machine. One that is not registered is told of later."""
    try:
        return Registry(context.paths).resolve(context.chosen_gateway).is_remote
    except OpenShellError:
        return False


async def start_first_gateway(context: Context) -> None:
    """Start a local gateway, with a one-line notice, where none is registered and none was asked for."""
    if context.chosen_gateway or Registry(context.paths).names():
        return
    local = LocalGateway(context.paths)
    async with Progress(context, "starting a local gateway"):
        started = await asyncio.to_thread(local.start, context.environ, default_config=context.config_file)
    context.err(
        f"no gateway was registered: started {started.gateway.name!r} at {started.gateway.endpoint} "
        f"('openshell gateway stop' ends it)"
    )


async def _wait(context: Context, client: Client, made: Sandbox) -> Sandbox:
    """Wait until it is ready; Ctrl-C leaves it as it is and says so."""
    main = asyncio.current_task()
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        if main is not None:
            main.cancel()

    try:
        with context.hearing((signal.SIGINT, interrupt)):
            async with Progress(context, f"creating {made.name}") as progress:
                return await client.sandboxes.wait_ready(
                    made.name, progress=lambda seen: progress.say(f"{made.name}: {seen.phase.label.lower()}")
                )
    except asyncio.CancelledError:
        if not interrupted or main is None:
            raise
        main.uncancel()
        context.err(f"sandbox {made.name} goes on starting; 'openshell sandbox delete {made.name}' removes it")
        raise click.Abort from None
