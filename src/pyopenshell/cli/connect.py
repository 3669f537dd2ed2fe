"""`openshell sandbox connect`: a shell in a sandbox, on this terminal."""

from __future__ import annotations

import click

from pyopenshell.cli.clients import client_of, sandbox_of
from pyopenshell.cli.commands import Command, gateway_options
from pyopenshell.cli.completion import complete_sandbox
from pyopenshell.cli.context import Context
from pyopenshell.cli.exec import run
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import ExecSpec

#: The user's own shell where the sandbox names one, else the best that its image has, as a login shell.
SHELL = ("/bin/sh", "-c", 'for s in "$SHELL" /bin/bash /bin/sh; do [ -x "$s" ] && exec "$s" -l; done')


@click.command(cls=Command, example="openshell sandbox connect web")
@click.argument("name", required=False, shell_complete=complete_sandbox)
@gateway_options
@click.pass_obj
async def connect(context: Context, name: str | None) -> int:
    """Open a shell in a sandbox. Enter, then ~. leaves it when the connection hangs."""
    if not context.is_terminal(context.stdin):
        raise OpenShellError(
            Code.PRECONDITION,
            "connect needs a terminal, and standard input is none",
            hint="'openshell sandbox exec -- sh' takes a script on standard input",
        )
    async with client_of(context) as client:
        return await run(context, client, sandbox_of(context, client, name), ExecSpec(SHELL), tty=True)
