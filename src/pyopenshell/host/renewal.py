"""The host's certificate renews itself over the connection that it made: once two thirds of its life are over.

Best effort: the old one counts until it ends, so a failure is tried again an hour later.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from pyopenshell.enrol import renewal
from pyopenshell.errors import OpenShellError
from pyopenshell.files import read_small, write_private
from pyopenshell.host.state import HostState
from pyopenshell.streams.grpc_client import Channel

#: Seconds between two looks at the clock: a machine that slept has missed the rest of a long wait.
LOOK_INTERVAL = 3600.0

log = logging.getLogger("pyopenshell.host.renewal")


class Renewal:
    """A companion of the session. `due`: the moment from which on it is to be renewed, in seconds since the epoch."""

    def __init__(
        self,
        state: HostState,
        due: float,
        *,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._state = state
        self._due = due
        self._wall = wall
        self._sleep = sleep

    async def __call__(self, channel: Channel) -> None:
        """Keep the certificate fresh over this connection until cancelled."""
        while True:
            wait = self._due - self._wall()
            if wait <= 0:
                await self._renew(channel)
            await self._sleep(min(wait, LOOK_INTERVAL) if wait > 0 else LOOK_INTERVAL)

    async def _renew(self, channel: Channel) -> None:
        try:
            key, ca = (read_small(self._state.credential(name)) or b"" for name in ("tls.key", "ca.crt"))
            certificate, times = await renewal.renew(channel, key=key, authority=ca)
            write_private(self._state.credential("tls.crt"), certificate, durable=True)
            self._due = times.renew_after
            host = self._state.load()
            if host is not None:
                self._state.save(replace(host, renew_after=times.renew_after))
        except OpenShellError as error:
            log.warning("the host's certificate was not renewed, the next attempt is in an hour: %s", error)
