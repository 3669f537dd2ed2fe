"""Runs an attack against a server in a process of its own, beside a friend whose calls have to go on.

python -m tests.support.hostile NAME PORT [PKI]     the attack alone, for a measurement that it must not disturb
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyopenshell.streams import Channel, Endpoint
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.attacks import ATTACKS, Attack
from tests.support.raw_client import Address, RawClient
from tests.support.stream_pairs import Tls, make_tls

MIB = 2**20


class Server:
    """The process of the server, seen from outside."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self._folder = Path("/proc") / str(process.pid)
        self.address: Address = ("127.0.0.1", port)
        self._before = 0.0

    async def report(self) -> dict[str, Any]:
        """What it counted itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        return dict(json.loads(await self._process.stdout.readline()))

    def mark(self) -> None:
        """Measure the peak of its memory from here on (proc(5), clear_refs)."""
        (self._folder / "clear_refs").write_text("5")
        self._before = self._status("VmRSS")

    @property
    def growth(self) -> float:
        """MiB of resident memory at the peak since `mark`, over what it had then."""
        return self._status("VmHWM") - self._before

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return int((self._folder / "schedstat").read_text().split()[0]) / 1e9

    def _status(self, name: str) -> float:
        for line in (self._folder / "status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) / 1024
        raise KeyError(name)


@asynccontextmanager
async def serving(options: dict[str, Any], pki: Path | None) -> AsyncIterator[Server]:
    """A server in a process of its own."""
    argument = json.dumps(options | ({"pki": str(pki)} if pki else {}))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.hostile_server",
        argument,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=None if "HOSTILE_LOG" in os.environ else asyncio.subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield Server(process, int(await process.stdout.readline()))
    finally:
        process.stdin.close()
        await process.wait()


@dataclass
class Friend:
    """A well-behaved connection: its calls while somebody else attacks."""

    channel: Channel
    seconds: list[float] = field(default_factory=list)
    between: list[int] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def of(cls, server: Server, tls: Tls | None) -> AsyncIterator[Friend]:
        """Connect."""
        endpoint = Endpoint(*server.address, server_name="localhost")
        channel = await Channel.connect(endpoint, tls.client if tls else None)
        try:
            yield cls(channel)
        finally:
            await channel.close()

    async def call(self) -> None:
        """One question and its answer."""
        start = time.perf_counter()
        answer = await self.channel.unary("/friend", pb.HealthRequest(), pb.HealthResponse)
        self.seconds.append(time.perf_counter() - start)
        self.between.append(int(answer.version))

    async def go_on(self) -> None:
        """Call for ever."""
        while True:
            await self.call()


@asynccontextmanager
async def playing(attack: Attack, address: Address, tls: Tls | None) -> AsyncIterator[str]:
    """Attack; say how it ended. The connection, where it still is up, is closed at the exit."""
    context = tls.client if tls and attack.kind != "handshake" else None
    if attack.mute:
        client = await RawClient.bare(address, context)
    else:
        client = await RawClient.connect(address, context, *attack.parameters)
    try:
        yield await attack.run(client)
    finally:
        await client.close()


async def _alone(name: str, port: str, pki: str = "", seconds: str = "0") -> None:
    """Attack, again and again for so long; say how it ended and how often, and hold on until standard input ends.

    One that comes too often is turned away, and tries on.
    """
    attack = next(attack for attack in ATTACKS if attack.name == name)
    tls = make_tls(Path(pki)) if pki else None
    end = time.monotonic() + float(seconds)
    last = "turned away"
    for times in itertools.count(1):
        with suppress(ConnectionError):
            async with playing(attack, ("127.0.0.1", int(port)), tls) as last:
                if attack.stays:
                    await asyncio.sleep(end - time.monotonic())
                if time.monotonic() > end:
                    print(last, times, flush=True)
                    await asyncio.to_thread(sys.stdin.read)
                    return
        if time.monotonic() > end:
            print(last, times, flush=True)
            return


if __name__ == "__main__":
    asyncio.run(_alone(*sys.argv[1:]))
