"""A relay as its callers see it: a `Line`, and the `Far` end that a supervisor lends to it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from pyopenshell.errors import OpenShellError
from pyopenshell.relay.outcomes import error_for
from pyopenshell.relay.relays import Closed, Relay
from pyopenshell.streams.grpc_server import Call
from pyopenshell.streams.splice import Tally


@dataclass(slots=True)
class Far:
    """What a supervisor lent: its RelayStream call, and the features that it announced."""

    call: Call
    features: frozenset[int]


@dataclass(slots=True)
class Line:
    """One relay as its callers see it.

    `claimed` gives the far end or raises what the near side is to be answered; `over` tells how the relay ended; `released`
    that the caller needs the supervisor's call no more.
    """

    relay: Relay
    claimed: asyncio.Future[Far]
    over: asyncio.Future[Closed]
    released: asyncio.Event
    tally: Tally = field(default_factory=Tally)
    features: frozenset[int] = frozenset()

    @property
    def channel_id(self) -> str:
        """The relay's name."""
        return self.relay.channel_id

    @property
    def sandbox(self) -> str:
        """The sandbox's name."""
        return self.relay.request.sandbox


def line_error(line: Line, closed: Closed) -> OpenShellError:
    """What `closed` is told as."""
    return error_for(closed.cause, line.sandbox, closed.detail, closed.code)
