"""Lines: what they are called, and what their ends are told as."""

from __future__ import annotations

import asyncio

from pyopenshell.errors import Code
from pyopenshell.gateway.lines import Line, line_error
from pyopenshell.model import SshTarget
from pyopenshell.relay.outcomes import Cause
from pyopenshell.relay.relays import Closed, Relay, Request


async def test_a_line() -> None:
    loop = asyncio.get_running_loop()
    relay = Relay("c1", Request("box", "web", SshTarget(), "alice"), 0.0)
    line = Line(relay, loop.create_future(), loop.create_future(), asyncio.Event())
    assert (line.channel_id, line.sandbox) == ("c1", "web")
    error = line_error(line, Closed(relay, Cause.TARGET, "connection refused"))
    assert error.code is Code.UNAVAILABLE
    assert error.message == "sandbox 'web': the sandbox could not connect: connection refused"
    assert line_error(line, Closed(relay, Cause.TARGET, "full", Code.EXHAUSTED)).code is Code.EXHAUSTED
