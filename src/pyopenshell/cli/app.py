"""The tree of commands, and the one place where an error becomes a line on standard error and an exit status.

`parse` is synchronous and answers --help and wrong usage by itself, so they cost no event loop; `run` awaits what is left.
A command returns its exit status, or None for 0.
"""

from __future__ import annotations

import inspect
from collections.abc import Coroutine, Sequence
from typing import Any

import click

from pyopenshell.cli.commands import Group, gateway_options, help_width, usage
from pyopenshell.cli.context import Context
from pyopenshell.errors import EXIT_CODES, EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, OpenShellError

PROGRAM = "openshell"
EXIT_NO_READER = 141  # 128 + SIGPIPE, as a program that SIGPIPE ends

SHORT_NAMES = {"sb": "sandbox", "gw": "gateway", "fwd": "forward"}

Work = Coroutine[Any, Any, int | None]


def _show_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        ctx.obj.out(f"{PROGRAM} {version('pyopenshell')}")
        ctx.exit()


@click.command(
    cls=Group,
    lazy={
        "sandbox": "pyopenshell.cli.groups:sandbox",
        "forward": "pyopenshell.cli.groups:forward",
        "service": "pyopenshell.cli.groups:service_group",
        "gateway": "pyopenshell.cli.groups:gateway",
        "host": "pyopenshell.cli.groups:host",
        "status": "pyopenshell.cli.status:status",
        "token": "pyopenshell.cli.groups:token",
        "whoami": "pyopenshell.cli.status:whoami",
        "bench": "pyopenshell.cli.bench.command:bench",
        "completion": "pyopenshell.cli.completion:completion",
        "ssh-proxy": "pyopenshell.cli.ssh:ssh_proxy",
        "complete": "pyopenshell.cli.completion:complete",
    },
    short=SHORT_NAMES,
    example="openshell sandbox create web\n"
    "openshell sandbox exec -n web -- uname -a\n"
    "openshell forward service web --target-port 8000",
    help="Reach isolated sandboxes: run commands, open SSH, forward services.\n\n"
    "Short names: sb (sandbox), fwd (forward), gw (gateway).",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@gateway_options
def root() -> None:
    pass


def parse(argv: Sequence[str], context: Context) -> int | Work:
    """Find the command and its parameters, and call it. Returns its exit status, or the coroutine that is its work."""
    try:
        with root.make_context(PROGRAM, list(argv), obj=context, terminal_width=help_width(context)) as ctx:
            found = root.invoke(ctx)
    except BaseException as error:
        return report(error, context)
    if inspect.iscoroutine(found):
        return found
    return found if isinstance(found, int) else EXIT_OK


async def run(argv: Sequence[str], context: Context) -> int:
    """One whole command; the exit status."""
    found = parse(argv, context)
    return found if isinstance(found, int) else await finish(found, context)


async def finish(work: Work, context: Context) -> int:
    """Await a command's work and report its error, if any."""
    try:
        return await work or EXIT_OK
    except Exception as error:
        return report(error, context)


def report(error: BaseException, context: Context) -> int:
    """Tell `error` in one line and return its exit status. What we did not foresee is told too, without a traceback."""
    from pyopenshell.cli.output import clean

    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.exceptions.NoArgsIsHelpError():
            context.err(error.ctx.get_help() if error.ctx else "")
            return EXIT_USAGE
        case click.UsageError():
            hint = f" ({usage(error.ctx)})" if error.ctx else ""
            context.err(f"error: {clean(error.format_message()).rstrip('.')}{hint}")
            return EXIT_USAGE
        case OpenShellError():
            context.err(f"error: {clean(str(error))}")
            return EXIT_CODES[error.code]
        case BrokenPipeError():
            return EXIT_NO_READER
        case KeyboardInterrupt() | click.Abort():
            return EXIT_INTERRUPTED
        case UnicodeError():
            context.err("error: an argument is not valid UTF-8, which only the argv and environment of 'exec' may be")
            return EXIT_USAGE
        case OSError():
            context.err(f"error: {clean(str(error))}")
            return EXIT_ERROR
        case Exception():
            if context.environ.get("OPENSHELL_TRACEBACK"):
                raise error
            context.err(
                f"error: internal: {type(error).__name__}: {clean(str(error))} (OPENSHELL_TRACEBACK=1 shows where)"
            )
            return EXIT_ERROR
    raise error
