"""Measure the way to a sandbox's supervisor, through the same ForwardTcp stream that every relay is.

    async with echo(connection, "web") as link:        seconds = await link.once()
    down = await measure(connection, "web", Way.DOWN, size=64 * 2**20)

A round trip is one message there and back on a relay that stays open; opening it is measured apart. A speed is bytes by the
time from the first byte to the far side's word that it has all of them, so no buffer on the way counts as arrived.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import PROBE_MAX, Probe, ProbeTarget
from pyopenshell.sdk.connection import Connection
from pyopenshell.sdk.relays import Relay, check_sandbox, open_relay
from pyopenshell.streams.contract import StreamBroken

PAYLOAD = 56  # bytes of one echo: ping(8)'s
CHUNK = 256 * 1024  # bytes of one write of an upload
COUNT_SIZE = 8  # bytes of DISCARD's answer
Clock = Callable[[], float]


class Way(StrEnum):
    """A direction, as the user sees it."""

    DOWN = "down"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Speed:
    """`size` bytes in `seconds`."""

    way: Way
    size: int
    seconds: float

    @property
    def bytes_per_second(self) -> float:
        return self.size / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """What was sent, and the seconds of each that came back."""

    sent: int
    seconds: Sequence[float]

    @property
    def loss(self) -> float:
        """The part that did not come back, 0 to 1."""
        return 1 - len(self.seconds) / self.sent if self.sent else 0.0

    def quantile(self, part: float) -> float | None:
        """The smallest round trip that `part` of all are not above (nearest rank); None where none came back."""
        ordered = sorted(self.seconds)
        if not ordered:
            return None
        return ordered[max(0, -int(-part * len(ordered) // 1) - 1)]


class Echo:
    """An open relay to the supervisor's echo. `opened` is how many seconds it took to be connected."""

    def __init__(self, relay: Relay, opened: float, clock: Clock) -> None:
        self.opened = opened
        self._leg = relay.leg
        self._clock = clock
        self._number = 0

    async def once(self) -> float:
        """One round trip in seconds. Raises StreamBroken, and BROKEN where something else came back."""
        self._number += 1
        sent = self._number.to_bytes(PAYLOAD, "big")
        began = self._clock()
        await self._leg.write(sent)
        back = bytearray()
        while len(back) < PAYLOAD:
            chunk = await self._leg.read()
            if not chunk:
                raise StreamBroken("the supervisor ended the echo")
            back += chunk
        took = self._clock() - began
        if back != sent:
            raise OpenShellError(Code.BROKEN, "the supervisor's echo is not what was sent")
        return took


@asynccontextmanager
async def echo(connection: Connection, sandbox: str, clock: Clock = time.perf_counter) -> AsyncIterator[Echo]:
    """An echo for the time of the block. Raises StreamBroken with the reason where it is refused."""
    began = clock()
    relay = await _open(connection, sandbox, ProbeTarget(Probe.ECHO))
    try:
        yield Echo(relay, clock() - began, clock)
    finally:
        relay.leg.abort("the ping is over")


async def measure(
    connection: Connection,
    sandbox: str,
    way: Way,
    *,
    size: int = PROBE_MAX,
    seconds: float | None = None,
    clock: Clock = time.perf_counter,
) -> Speed:
    """How fast bytes go one way: `size` of them, or what passes in `seconds`, whichever is first.

    Raises StreamBroken with the reason, BROKEN where bytes are missing.
    """
    if way is Way.DOWN:
        return await _down(connection, sandbox, size, seconds, clock)
    return await _up(connection, sandbox, size, seconds, clock)


async def _down(connection: Connection, sandbox: str, size: int, seconds: float | None, clock: Clock) -> Speed:
    relay = await _open(connection, sandbox, ProbeTarget(Probe.GENERATE, size))
    leg = relay.leg
    try:
        began = clock()
        taken = 0
        while chunk := await leg.read():
            taken += len(chunk)
            if seconds is not None and clock() - began >= seconds:
                return Speed(Way.DOWN, taken, clock() - began)
        took = clock() - began
        if taken != size:
            raise OpenShellError(Code.BROKEN, f"{taken} of {size} bytes came")
        await leg.end()
        await leg.close()
        return Speed(Way.DOWN, taken, took)
    finally:
        leg.abort("the measurement is over")


async def _up(connection: Connection, sandbox: str, size: int, seconds: float | None, clock: Clock) -> Speed:
    relay = await _open(connection, sandbox, ProbeTarget(Probe.DISCARD))
    leg = relay.leg
    try:
        zeros = bytes(min(CHUNK, size))
        began = clock()
        sent = 0
        while sent < size and (seconds is None or clock() - began < seconds):
            part = zeros[: size - sent]
            await leg.write(part)
            sent += len(part)
        await leg.end()
        answer = bytearray()
        while chunk := await leg.read():
            answer += chunk
        took = clock() - began
        if len(answer) != COUNT_SIZE or int.from_bytes(answer, "big") != sent:
            raise OpenShellError(Code.BROKEN, f"the supervisor does not have the {sent} bytes that were sent")
        await leg.close()
        return Speed(Way.UP, sent, took)
    finally:
        leg.abort("the measurement is over")


async def _open(connection: Connection, sandbox: str, target: ProbeTarget) -> Relay:
    relay = await open_relay(connection, check_sandbox(sandbox), target, None)
    try:
        await relay.connected()
    except BaseException:
        relay.leg.abort("the probe was given up")
        raise
    return relay
