"""`openshell sandbox exec`: a command's three streams, its signals and its status, carried through.

Two modes. With a terminal (standard input and output are one, or --tty) the remote command has a PTY: the local terminal is
raw, every key including Ctrl-C goes through, its size follows. Without one the three streams are apart, and SIGINT,
SIGTERM and SIGHUP that we get are sent on; the second one of a kind breaks the connection, which ends the command.

Input is never waited for: it is read by a thread of its own that nobody joins, so a standard input that was inherited and
never ends cannot hold back the end of the command.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import click

from pyopenshell.cli.clients import client_of, sandbox_of
from pyopenshell.cli.commands import Command, gateway_options, pairs
from pyopenshell.cli.completion import complete_sandbox
from pyopenshell.cli.context import Context
from pyopenshell.cli.descriptors import Reader, Writer
from pyopenshell.cli.output import clean
from pyopenshell.cli.terminal import Escapes, in_foreground, raw, size_of
from pyopenshell.errors import EXIT_CONNECTION_LOST
from pyopenshell.model import ExecSpec, TerminalSize
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.exec import Execution, ExitStatus

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command(
    cls=Command,
    name="exec",
    context_settings={"allow_interspersed_args": False},
    example="openshell sandbox exec -n web -- ls -la\ncat data | openshell sandbox exec -- wc -c",
)
@click.option("-n", "--name", metavar="NAME", help="Sandbox. Default: the last used.", shell_complete=complete_sandbox)
@click.option("--login", is_flag=True, help="Through the user's login shell, so that its profile applies.")
@click.option("--workdir", default="", metavar="DIR", help="Directory in the sandbox.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="End it then; status 124."
)
@click.option("--tty/--no-tty", "tty", default=None, help="A terminal for the command. Default: where you have one.")
@click.option("--env", "env", multiple=True, metavar="K=V", help="Environment variable; repeatable.")
@click.option("--no-stdin", is_flag=True, help="Give the command no input, and leave yours alone.")
@gateway_options
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- CMD...")
@click.pass_obj
async def exec_command(
    context: Context,
    name: str | None,
    login: bool,
    workdir: str,
    timeout: float,
    tty: bool | None,
    env: tuple[str, ...],
    no_stdin: bool,
    command: tuple[str, ...],
) -> int:
    """Run a command in a sandbox: argv as it stands, no shell added.

    The exit status is the command's; 128+n where signal n ended it, 124 after --timeout, 127 where it could not be started,
    255 where the connection was lost before its status came.
    """
    if not command:
        raise click.UsageError("no command was given; put it behind '--'")
    if len(command) > 1 and command[1] == "--" and name is None:
        raise click.UsageError(f"{command[0]!r} stands before '--'; name the sandbox with -n")
    if tty is None:
        tty = not no_stdin and _has_terminal(context)
    spec = ExecSpec(command, pairs(env, "--env"), workdir, login, timeout=timeout)
    async with client_of(context) as client:
        return await run(context, client, sandbox_of(context, client, name), spec, tty=tty, stdin=not no_stdin)


async def run(context: Context, client: Client, sandbox: str, spec: ExecSpec, *, tty: bool, stdin: bool = True) -> int:
    """Run `spec` with this context's streams; the exit status. Shared with `connect`."""
    terminal = _terminal(context) if tty else None
    if tty:
        env = {"TERM": context.environ["TERM"]} if context.environ.get("TERM") else {}
        spec = ExecSpec(
            spec.argv, env | dict(spec.env), spec.workdir, spec.login,
            size_of(terminal) if terminal is not None else size_of(-1), spec.timeout,
        )  # fmt: skip
    async with client.exec(sandbox, spec) as running:
        with ExitStack() as stack:
            asks_out = asyncio.Event()
            if terminal is not None:
                raw_again = stack.enter_context(raw(terminal))
                stack.enter_context(_following(context, running, terminal, spec.terminal, raw_again))
            stack.enter_context(_passing_signals(context, running))
            showing = asyncio.create_task(_show(context, running))
            leaving = asyncio.create_task(asks_out.wait())
            feeder = asyncio.create_task(_feed(context, running, asks_out, stdin=stdin, escapes=terminal is not None))
            try:
                done, _ = await asyncio.wait((showing, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (showing, leaving, feeder):
                    task.cancel()
                await asyncio.gather(showing, leaving, feeder, return_exceptions=True)
        if showing not in done:
            context.err("disconnected")
            return EXIT_CONNECTION_LOST
        return _told(context, showing.result(), spec)


def _told(context: Context, ended: ExitStatus, spec: ExecSpec) -> int:
    if ended.timed_out:
        context.err(f"error: the command was ended after {spec.timeout:g} s")
    elif ended.start_error:
        context.err(f"error: cannot run {clean(spec.argv[0])!r}: {clean(ended.start_error)}")
    return ended.status


async def _show(context: Context, running: Execution) -> ExitStatus:
    """Write the output where it belongs until the command has ended. Raises BrokenPipeError when nobody reads it."""
    out, err = Writer(context.stdout), Writer(context.stderr)
    try:
        async for piece in running:
            await (err if piece.stderr else out).write(piece.data)
    finally:
        out.close()
        err.close()
    assert running.exit is not None  # the loop raises otherwise
    return running.exit


async def _feed(context: Context, running: Execution, asks_out: asyncio.Event, *, stdin: bool, escapes: bool) -> None:
    descriptor = context.stdin if stdin else None
    if descriptor is None or (context.is_terminal(descriptor) and not in_foreground(descriptor)):
        await running.stdin_end()
        return
    finder = Escapes() if escapes else None
    reader = Reader(descriptor)
    try:
        while data := await reader.read():
            if finder is not None:
                data, out = finder.feed(data)
                if out:
                    asks_out.set()
                    return
            if data and not await running.stdin(data):
                return
        await running.stdin_end()
    finally:
        reader.close()


@contextmanager
def _passing_signals(context: Context, running: Execution) -> Iterator[None]:
    """Send on the signals that we get; the second of a kind does not ask the far side any more."""
    seen: set[int] = set()
    tasks = _Tasks()

    def act(number: signal.Signals) -> None:
        if number in seen:
            running.abort()
        else:
            seen.add(number)
            tasks.add(running.signal(int(number)))

    with context.hearing(*((number, partial(act, number)) for number in _PASSED_ON)):
        yield


@contextmanager
def _following(
    context: Context, running: Execution, terminal: int, told: TerminalSize | None, raw_again: Callable[[], None]
) -> Iterator[None]:
    """Tell the far side of every size that differs from `told`, also of one that came before we listened.

    After a stop (Ctrl-Z of a shell that has us, then `fg`) the mode was another's, and a change of size went to the shell.
    """
    tasks = _Tasks()

    def resized() -> None:
        tasks.add(running.resize(size_of(terminal)))

    def goes_on() -> None:
        raw_again()
        resized()

    with context.hearing((signal.SIGWINCH, resized), (signal.SIGCONT, goes_on)):
        if size_of(terminal) != told:
            resized()
        yield


class _Tasks:
    """Small sends that a signal asks for; held here because the event loop holds tasks weakly."""

    def __init__(self) -> None:
        self._held: set[asyncio.Future[bool]] = set()

    def add(self, work: Coroutine[object, object, bool]) -> None:
        task = asyncio.ensure_future(work)
        self._held.add(task)
        task.add_done_callback(self._held.discard)


def _has_terminal(context: Context) -> bool:
    """Whether a terminal is ours to give away. A job behind `&` has none: raw mode would stop it with SIGTTOU."""
    source = context.stdin
    return (
        source is not None
        and context.is_terminal(source)
        and context.is_terminal(context.stdout)
        and in_foreground(source)
    )


def _terminal(context: Context) -> int | None:
    """The terminal that keys come from and sizes are asked of; None where --tty was given without one."""
    return context.stdin if context.is_terminal(context.stdin) else None
