"""The control stream of a host: hello, heartbeats both ways, orders and their answers. Made again for ever.

    connect ── hello ── accepted ── serve ─┬─ lost, silent, ended ── wait (jittered, doubling) ── connect
                   └─ refused: the certificate is revoked, another machine is this host ── wait a minute ── connect

Heartbeats go both ways every interval that the gateway asked for; a gateway that said nothing for three of them is gone, as
for a supervisor. Losing it ends nothing here: sandboxes run, their supervisors dial by themselves.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host.ended import Ended
from pyopenshell.host.orders import Orders
from pyopenshell.streams.backoff import Backoff
from pyopenshell.streams.client_call import ClientCall
from pyopenshell.streams.contract import StreamClosed
from pyopenshell.streams.grpc_client import Channel
from pyopenshell.wire.convert import seconds_of_duration
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from pyopenshell.wire.status import clean

SERVE_HOST = "/pyopenshell.v1.Extension/ServeHost"
HELLO_TIMEOUT = 10.0  # seconds for `accepted`; the contract's deadline for a first message
MISSED_MAX = 3  # intervals of silence after which the gateway is gone: one late message is not a lost gateway
INTERVAL_DEFAULT = 10.0  # seconds; where the gateway names none
INTERVAL_RANGE = (0.05, 300.0)  # seconds; what the gateway may ask for
#: Seconds; the longest is a third of the 15 s for which a gateway waits before it calls a host lost.
BACKOFF_FIRST, BACKOFF_MAX = 0.1, 5.0
REFUSED_PAUSE = 60.0  # seconds; a person has to do something first
#: What another attempt alone does not mend.
REFUSALS = frozenset(
    {Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.CONFLICT, Code.PRECONDITION, Code.INVALID, Code.NOT_FOUND}
)


class Companion(Protocol):
    """What else lives on an accepted connection (renewal, the joined sandbox). What it raises ends the host."""

    async def __call__(self, channel: Channel) -> None: ...


class Session:
    """Keeps one host connected. `tell` gets one line for each change that a person wants to know."""

    def __init__(
        self,
        *,
        connect: Callable[[], Awaitable[Channel]],
        hello: Callable[[], ext.HostHello],
        orders: Orders,
        ended: Ended,
        tell: Callable[[str], None],
        companions: tuple[Companion, ...] = (),
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._connect = connect
        self._hello = hello
        self._orders = orders
        self._ended = ended
        self._tell = tell
        self._companions = companions
        self._backoff = backoff or Backoff(BACKOFF_FIRST, BACKOFF_MAX)
        self._sleep = sleep
        self._rand = rand
        self._told = ""

    async def run(self) -> None:
        """Connect, serve, connect again, until cancelled. Raises what a companion raises."""
        while True:
            refused = False
            try:
                await self._once()
                self._say("the gateway ended the session; sandboxes go on")
            except CompanionError as error:
                raise error.error from None
            except OpenShellError as error:
                refused = error.code in REFUSALS
                self._say(f"{'refused' if refused else 'not connected'}: {clean(str(error))}; sandboxes go on")
            except StreamClosed as error:
                self._say(f"not connected: {error}; sandboxes go on")
            await self._sleep(REFUSED_PAUSE * (0.5 + self._rand() / 2) if refused else self._backoff.wait())

    def _say(self, line: str) -> None:
        """Tell, unless it is what was told last: a gateway that is away for a day is one line."""
        if line != self._told:
            self._told = line
            self._tell(line)

    async def _once(self) -> None:
        channel = await self._connect()
        try:
            call = await channel.open(SERVE_HOST)
            accepted = await self._greet(call)
            self._backoff.reset()
            self._say(f"connected as host {clean(accepted.name)!r}")
            await self._serve(channel, call, _interval(accepted))
        finally:
            await channel.close()

    async def _greet(self, call: ClientCall) -> ext.HostAccepted:
        try:
            async with asyncio.timeout(HELLO_TIMEOUT):
                await call.send(ext.HostMessage(hello=self._hello()))
                answer = await call.receive(ext.GatewayOrder)
        except TimeoutError:
            raise OpenShellError(Code.DEADLINE, f"the gateway did not answer hello in {HELLO_TIMEOUT:.0f} s") from None
        if answer is None:
            raise OpenShellError(Code.UNAVAILABLE, "the gateway ended the session before it began")
        if answer.WhichOneof("payload") != "accepted":
            raise OpenShellError(Code.BROKEN, "the gateway's first message is not an answer to hello")
        return answer.accepted

    async def _serve(self, channel: Channel, call: ClientCall, interval: float) -> None:
        lock = asyncio.Lock()

        async def send(message: ext.HostMessage) -> None:
            async with lock:
                await call.send(message)

        async def say(answer: ext.HostAnswer) -> None:
            await send(ext.HostMessage(answer=answer))

        tasks = [
            asyncio.create_task(self._listen(call, say, interval * MISSED_MAX)),
            asyncio.create_task(_beat(send, interval)),
            asyncio.create_task(self._ended.tell(send)),
            *(asyncio.create_task(_accompany(each, channel)) for each in self._companions),
        ]
        listening = tasks[0]
        try:
            waiting = set(tasks)
            while not listening.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, call: ClientCall, say: Callable[[ext.HostAnswer], Awaitable[None]], silence: float) -> None:
        while True:
            try:
                async with asyncio.timeout(silence):
                    message = await call.receive(ext.GatewayOrder)
            except TimeoutError:
                raise OpenShellError(Code.UNAVAILABLE, f"the gateway said nothing for {silence:g} s") from None
            if message is None:
                return
            if message.WhichOneof("payload") == "order":  # else a heartbeat, or what a newer gateway says
                self._orders.take(message.order, say)


class CompanionError(Exception):
    """A companion's error, which is for whoever runs the host."""

    def __init__(self, error: OpenShellError) -> None:
        super().__init__(error.message)
        self.error = error


async def _accompany(companion: Companion, channel: Channel) -> None:
    try:
        await companion(channel)
    except OpenShellError as error:
        raise CompanionError(error) from error


async def _beat(send: Callable[[ext.HostMessage], Awaitable[None]], interval: float) -> None:
    while True:
        await asyncio.sleep(interval)
        await send(ext.HostMessage(heartbeat=ext.HostHeartbeat()))


def _interval(accepted: ext.HostAccepted) -> float:
    """The heartbeat interval that the gateway asks for, in seconds."""
    low, high = INTERVAL_RANGE
    asked = seconds_of_duration(accepted.heartbeat_interval)
    return min(max(asked, low), high) if asked > 0 else INTERVAL_DEFAULT
