"""`openshell sandbox ssh-config` and the hidden `ssh-proxy` that it names: OpenSSH into a sandbox, host key verified.

`ssh-proxy` is what ssh runs as ProxyCommand: its standard input and output become the connection. Before the first byte of
the sandbox goes through, its host key, learnt from the gateway, is in the known_hosts file that the configuration names.

ssh closes its pipes and then sends SIGHUP to its proxy (sshconnect.c, ssh_kill_proxy_command). The end of the input says the
same, and lets the relay end as it should; the signal only sets a limit to that.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from functools import partial

import click

from pyopenshell.cli.clients import client_of, sandbox_of
from pyopenshell.cli.commands import Command, gateway_options
from pyopenshell.cli.completion import complete_sandbox
from pyopenshell.cli.context import Context
from pyopenshell.cli.output import clean
from pyopenshell.errors import EXIT_CONNECTION_LOST, EXIT_OK, Code, OpenShellError
from pyopenshell.model import Outcome, SshTarget
from pyopenshell.sdk.ssh_files import SshFiles, config_block, host_alias
from pyopenshell.streams.splice import Tally, splice
from pyopenshell.streams.stdio import FdStream

PARTING_TIMEOUT = 5.0  # seconds after SIGHUP for both directions to end; nobody waits for this process any more


@click.command(
    cls=Command,
    name="ssh-config",
    short_help="Print the block for ~/.ssh/config.",
    example="openshell sandbox ssh-config web >> ~/.ssh/config\nssh web.openshell",
)
@click.argument("name", required=False, shell_complete=complete_sandbox)
@gateway_options
@click.pass_obj
async def ssh_config(context: Context, name: str | None) -> None:
    """Print the block for ~/.ssh/config; then 'ssh NAME.openshell' works, and so does every program that uses ssh."""
    async with client_of(context) as client:
        name = (await client.sandboxes.get(sandbox_of(context, client, name))).name
        files = SshFiles.of(context.paths)
        files.ensure_key()
        context.out(config_block(files, context.program, context.environ, name, client.gateway.name).rstrip("\n"))


@click.command(cls=Command, name="ssh-proxy", hidden=True, example="openshell ssh-proxy web")
@click.argument("name", shell_complete=complete_sandbox)
@gateway_options
@click.pass_obj
async def ssh_proxy(context: Context, name: str) -> int:
    """Connect standard input and output to the SSH server of a sandbox (for ProxyCommand)."""
    if context.stdin is None or context.stdout is None:
        raise OpenShellError(Code.PRECONDITION, "ssh-proxy needs standard input and output")
    async with client_of(context) as client:
        name = sandbox_of(context, client, name, remember=False)
        files = SshFiles.of(context.paths)
        target = SshTarget(files.ensure_key())
        relay = await client.open(name, target)
        relay.when_connected(partial(files.trust, host_alias(name, client.gateway.name)))
        tally = Tally()
        # Both are given away: ssh must see the end of our output while its own input is still open.
        near = FdStream(context.stdin, context.stdout)
        context.stdin = context.stdout = None
        outcome = await _until_hung_up(context, splice(near, relay.leg, tally))
    if outcome is Outcome.BROKEN_FAR:
        if relay.refusal is not None and relay.leg.greeting is None:
            raise relay.refusal
        context.err(f"error: {clean(tally.reason)}")
        return EXIT_CONNECTION_LOST
    return EXIT_OK


async def _until_hung_up(context: Context, splicing: Coroutine[None, None, Outcome]) -> Outcome:
    """How the splice ended; after SIGHUP it has PARTING_TIMEOUT seconds to."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as limit:
            with context.hearing((signal.SIGHUP, lambda: limit.reschedule(loop.time() + PARTING_TIMEOUT))):
                return await splicing
    except TimeoutError:
        return Outcome.BROKEN_NEAR
