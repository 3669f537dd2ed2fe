"""What listens in a sandbox: looked at once, watched, or waited for.

    async for found in watch(connection, "web"): ...
    port = await wait_for_port(connection, "web", 8000, timeout=30)

Addresses and process names are the sandbox's own words: for people to read, never to decide by.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import PortsTarget, check_port
from pyopenshell.sdk.connection import Connection
from pyopenshell.sdk.relays import check_sandbox, open_relay
from pyopenshell.wire.framed import Unframer
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


@dataclass(frozen=True, slots=True)
class ListeningPort:
    """A socket that listens (TCP) or is bound (UDP). `pid` is inside, 0 where it is not known; then `process` is empty."""

    port: int
    address: str
    process: str
    pid: int
    udp: bool


@dataclass(frozen=True, slots=True)
class Ports:
    """What listened at one moment. `truncated`: there is more than was read."""

    ports: tuple[ListeningPort, ...]
    truncated: bool

    def of(self, port: int) -> ListeningPort | None:
        """Who listens on TCP `port`, on whatever address; None for nobody."""
        return next((one for one in self.ports if one.port == port and not one.udp), None)


async def listening(connection: Connection, sandbox: str) -> Ports:
    """What listens now. Raises what the gateway answers, BROKEN."""
    async with aclosing(_snapshots(connection, sandbox, again=False)) as snapshots:
        async for found in snapshots:
            return found
    raise OpenShellError(Code.BROKEN, "the supervisor ended without telling what listens")


def watch(connection: Connection, sandbox: str) -> AsyncGenerator[Ports, None]:
    """What listens now, and then at each change, until the generator is closed. Raises as `listening` does."""
    return _snapshots(connection, sandbox, again=True)


async def wait_for_port(connection: Connection, sandbox: str, port: int, timeout: float) -> ListeningPort:
    """Wait until something listens on TCP `port`, for `timeout` seconds. Raises DEADLINE, and as `listening` does."""
    check_port(port, "port")
    last = Ports((), False)
    try:
        async with asyncio.timeout(timeout), aclosing(watch(connection, sandbox)) as snapshots:
            async for last in snapshots:
                found = last.of(port)
                if found is not None:
                    return found
    except TimeoutError:
        others = sorted({one.port for one in last.ports if not one.udp})
        raise OpenShellError(
            Code.DEADLINE,
            f"nothing listens on port {port} of {sandbox} after {timeout:g} s",
            hint=f"ports that something listens on: {', '.join(map(str, others[:10]))}" if others else "",
        ) from None
    raise OpenShellError(Code.BROKEN, "the supervisor told no more of what listens")


async def _snapshots(connection: Connection, sandbox: str, *, again: bool) -> AsyncGenerator[Ports, None]:
    relay = await open_relay(connection, check_sandbox(sandbox), PortsTarget(again), None)
    unframer = Unframer()
    try:
        while chunk := await relay.leg.read():
            for message in unframer.feed(chunk):
                yield _ports_of(message)
        await relay.leg.end()
        await relay.leg.close()
        if not unframer.between:
            raise OpenShellError(Code.BROKEN, "the supervisor ended in the middle of what it told")
    finally:
        relay.leg.abort("enough was seen")


def _ports_of(message: bytes) -> Ports:
    try:
        found = pb.PortsSnapshot.FromString(message)
    except DecodeError as error:
        raise OpenShellError(Code.BROKEN, "the supervisor told of ports in a way unknown here") from error
    rows = tuple(ListeningPort(one.port, one.address, one.process, one.pid, one.udp) for one in found.ports)
    return Ports(rows, found.truncated)
