"""Staying with the main process of a sandbox: its output as it comes, and its exit status as ours.

The output travels as log lines; `target` says which stream of the process they came from. Others are not shown.
Ctrl-C leaves; the process goes on.
"""

from __future__ import annotations

import asyncio
import signal

from pyopenshell.cli.context import Context
from pyopenshell.cli.logs import TAIL_ALL
from pyopenshell.cli.output import clean
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Phase
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.types import LogLine, Sandbox, WatchWarning

EXIT_DETACHED = 130  # 128 + SIGINT: we left, the process did not end
_OVER = frozenset({Phase.COMPLETED, Phase.ERROR, Phase.STOPPED, Phase.DELETING})


async def attach(context: Context, client: Client, name: str) -> int:
    """Follow until the main process has ended. Raises PRECONDITION where it never ran, BROKEN where we lost sight of it."""
    left = asyncio.Event()
    with context.hearing((signal.SIGINT, left.set), (signal.SIGTERM, left.set)):
        following = asyncio.ensure_future(_follow(context, client, name))
        leaving = asyncio.ensure_future(left.wait())
        await asyncio.wait((following, leaving), return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not following.done():
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            context.err(f"left; sandbox {name} goes on, see 'openshell sandbox logs --follow {name}'")
            return EXIT_DETACHED
        last = following.result()
    if last is None or last.phase not in _OVER:
        raise OpenShellError(Code.BROKEN, f"lost sight of sandbox {name!r} before its command ended")
    if last.exit_code is None:
        raise OpenShellError(
            Code.PRECONDITION,
            f"the command of sandbox {name!r} did not run, phase {last.phase.label}: {clean(last.reason)}",
            hint=f"see 'openshell sandbox logs {name}'",
        )
    return last.exit_code


async def _follow(context: Context, client: Client, name: str) -> Sandbox | None:
    last: Sandbox | None = None
    async for event in client.sandboxes.watch(name, status=True, logs=True, tail=TAIL_ALL, stop_on_terminal=True):
        match event:
            case Sandbox():
                last = event
            case LogLine(target="stdout" | "stderr"):
                text = clean(event.message, keep="\t")
                (context.err if event.target == "stderr" else context.out)(text)
            case LogLine(level="WARN"):  # lines were dropped on the way
                context.err(f"warning: {clean(event.message)}")
            case WatchWarning():
                context.err(f"warning: {clean(event.message)}")
    return last
