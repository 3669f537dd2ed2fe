"""`openshell-supervisor`: flags, environment, signals. Wiring only; the agent itself is `agent.py`.

It stays in the foreground. What was asked for goes to standard output; changes of state, one line each, and the last line
behind `error: `, go to standard error. SIGTERM, SIGINT and SIGHUP (but under nohup(1)) end it and leave sandboxes running.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from pyopenshell import log
from pyopenshell.config import xdg_dirs
from pyopenshell.drivers.local import LocalDriver
from pyopenshell.enrol.invitation import LINE_MAX
from pyopenshell.errors import EXIT_CODES, EXIT_ERROR, EXIT_OK, Code, OpenShellError
from pyopenshell.host.agent import Agent, Offer
from pyopenshell.host.arguments import PROGRAM, parser
from pyopenshell.host.enrolling import enrolled, leave
from pyopenshell.host.images import Images
from pyopenshell.host.machine import machine_name
from pyopenshell.host.state import HostState
from pyopenshell.streams.proxies import Proxy, proxy_for

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = parser().parse_args(argv)
    try:
        log.configure(os.environ.get("OPENSHELL_LOG_LEVEL") or "warning")
        state = HostState(xdg_dirs(os.environ, Path.home()).state / "host")
        if options.command == "status":
            return _status(state)
        state.hold()
        try:
            return asyncio.run(_leave(state, options.force) if options.command == "leave" else _serve(state, options))
        finally:
            state.let_go()
    except OpenShellError as error:
        _say(f"error: {error}")
        return EXIT_CODES[error.code]
    except OSError as error:
        _say(f"error: the host cannot be served: {error}")
        return EXIT_ERROR


async def _serve(state: HostState, options: argparse.Namespace) -> int:
    joined = options.command == "join"
    offer = (
        Offer(joined=True, sandbox=options.name or "")
        if joined
        else Offer(options.max, dict(options.label), Images(options.images))
    )
    host = await enrolled(state, _line(options.line), options.host_name or machine_name(), _proxy)
    _say(f"{PROGRAM}: host {host.name!r} of gateway {host.gateway!r}")
    agent = Agent(
        state,
        host,
        LocalDriver(state.sandboxes),
        offer,
        find_proxy=_proxy,
        tell=lambda line: _say(f"{PROGRAM}: {line}"),
        show=partial(print, flush=True),
    )
    running = asyncio.ensure_future(agent.run())
    loop = asyncio.get_running_loop()
    for number in STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, running.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await running
    finally:
        await agent.close()
    return EXIT_OK


async def _leave(state: HostState, force: bool) -> int:
    gone = await leave(state, partial(LocalDriver, state.sandboxes), force=force)
    for sandbox_id in gone:
        print(f"removed sandbox {sandbox_id}")
    print("this host is enrolled nowhere; its admin ends its right to come back with 'openshell gateway revoke'")
    return EXIT_OK


def _status(state: HostState) -> int:
    host, pid = state.load(), state.served_by()
    if host is None:
        print("not enrolled")
    else:
        print(f"host       {host.name}\ngateway    {host.gateway} ({', '.join(host.addresses)})")
    print(f"served     {f'by process {pid}' if pid else 'no'}")
    print(f"sandboxes  {len(state.running())} running of {len(state.sandbox_ids())}")
    return EXIT_OK


def _proxy(host: str, port: int) -> Proxy | None:
    return proxy_for(host, port, os.environ)


def _line(given: str) -> str:
    """The invitation, read from standard input where `-` was given."""
    if given != "-":
        return given
    line = sys.stdin.readline(LINE_MAX + 1)
    if not line.strip():
        raise OpenShellError(Code.INVALID, "no invitation came on standard input")
    return line


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
