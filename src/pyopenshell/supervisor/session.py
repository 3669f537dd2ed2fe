"""The control stream: hello, heartbeats both ways, relay opens. One connection to the gateway, made again for ever.

    connect ── hello ── accepted ── serve ─┬─ lost, silent, ended ── wait (jittered, doubling) ── connect
                   ├─── rejected ──────────┴─ superseded ── wait the longest ── connect
                   └─── the token is refused: the end; whoever started this supervisor starts one with a newer token

Heartbeats go both ways every interval that the gateway asked for; a gateway that said nothing at all for three of them is
gone (one late message is not a lost gateway). Losing the gateway ends its relays and nothing else: the main process runs on
and its log lines wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams.backoff import Backoff
from pyopenshell.streams.client_call import ClientCall
from pyopenshell.streams.contract import StreamClosed
from pyopenshell.streams.grpc_client import Channel
from pyopenshell.supervisor.relay import Dial, Relays
from pyopenshell.wire.metadata import MetadataItems
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

CONNECT_SUPERVISOR = "/openshell.v1.OpenShell/ConnectSupervisor"
HELLO_TIMEOUT = 10.0  # seconds for session_accepted; the contract's deadline for a first message
MISSED_MAX = 3  # intervals of silence after which the gateway is gone
INTERVAL_DEFAULT = 10.0  # seconds; where the gateway names none
INTERVAL_RANGE = (0.05, 300.0)  # seconds; what the gateway may ask for
BACKOFF_FIRST = 0.05  # seconds; a gateway on this machine is back within tenths
BACKOFF_MAX = 5.0  # seconds; a third of the 15 s for which the gateway keeps a sandbox without a session

log = logging.getLogger(__name__)

Connect = Callable[[], Awaitable[Channel]]


class Told(Protocol):
    """What else lives on a connection (log pushes, the main process's report): told of each new one."""

    async def __call__(self, channel: Channel) -> None: ...


class Session:
    """Keeps one supervisor connected."""

    def __init__(
        self,
        *,
        sandbox_id: str,
        instance_id: str,
        metadata: MetadataItems,
        connect: Connect,
        dial: Dial,
        main_state: Callable[[], pb.MainProcessState],
        companions: tuple[Told, ...] = (),
        usage: Callable[[], Awaitable[pb.Usage]] | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sandbox_id = sandbox_id
        self._instance_id = instance_id
        self._metadata = metadata
        self._connect = connect
        self._dial = dial
        self._main_state = main_state
        self._companions = companions
        self._usage = usage
        self._backoff = backoff or Backoff(BACKOFF_FIRST, BACKOFF_MAX)
        self._sleep = sleep
        self._epoch = 0

    async def run(self) -> None:
        """Connect, serve, connect again, until cancelled. Raises UNAUTHENTICATED where the token is refused."""
        while True:
            try:
                await self._once()
                log.info("the gateway ended the session")
            except OpenShellError as error:
                if error.code is Code.UNAUTHENTICATED:
                    raise
                if error.code in (Code.CONFLICT, Code.FORBIDDEN, Code.NOT_FOUND):
                    self._backoff.longest()
                log.info("session: %s", error)
            except StreamClosed as error:
                log.info("session: %s", error)
            await self._sleep(self._backoff.wait())

    async def _once(self) -> None:
        channel = await self._connect()
        try:
            call = await channel.open(CONNECT_SUPERVISOR, metadata=self._metadata)
            interval = await self._greet(call)
            self._backoff.reset()
            await self._serve(channel, call, interval)
        finally:
            await channel.close()

    async def _greet(self, call: ClientCall) -> float:
        """Say hello and wait for the answer; the heartbeat interval in seconds."""
        self._epoch += 1
        hello = pb.SupervisorHello(
            sandbox_id=self._sandbox_id,
            instance_id=self._instance_id,
            connection_epoch=self._epoch,
            main_process=self._main_state(),
        )
        try:
            async with asyncio.timeout(HELLO_TIMEOUT):
                await call.send(pb.SupervisorMessage(hello=hello))
                answer = await call.receive(pb.GatewayMessage)
        except TimeoutError:
            raise OpenShellError(Code.DEADLINE, f"the gateway did not answer hello in {HELLO_TIMEOUT:.0f} s") from None
        if answer is None:
            raise OpenShellError(Code.UNAVAILABLE, "the gateway ended the session before it began")
        kind = answer.WhichOneof("payload")
        if kind == "session_rejected":
            raise OpenShellError(Code.CONFLICT, f"the gateway rejected the session: {answer.session_rejected.reason}")
        if kind != "session_accepted":
            raise OpenShellError(Code.BROKEN, "the gateway's first message is not an answer to hello")
        accepted = answer.session_accepted
        log.info("session %s accepted", accepted.session_id)
        asked = accepted.heartbeat_interval.ToTimedelta().total_seconds()
        low, high = INTERVAL_RANGE
        return min(max(asked, low), high) if accepted.HasField("heartbeat_interval") and asked > 0 else INTERVAL_DEFAULT

    async def _serve(self, channel: Channel, call: ClientCall, interval: float) -> None:
        lock = asyncio.Lock()

        async def send(message: pb.SupervisorMessage) -> None:
            async with lock:
                await call.send(message)

        relays = Relays(channel, self._metadata, self._dial, send)
        asked = asyncio.Event()
        beating = asyncio.create_task(_beat(send, interval))
        companions = [asyncio.create_task(told(channel)) for told in self._companions]
        companions.append(asyncio.create_task(self._report(send, asked)))
        try:
            await self._listen(call, relays, asked, interval * MISSED_MAX)
        finally:
            for task in (beating, *companions):
                task.cancel()
            await asyncio.gather(beating, *companions, return_exceptions=True)
            await relays.aclose()

    async def _listen(self, call: ClientCall, relays: Relays, asked: asyncio.Event, silence: float) -> None:
        while True:
            try:
                async with asyncio.timeout(silence):
                    message = await call.receive(pb.GatewayMessage)
            except TimeoutError:
                raise OpenShellError(Code.UNAVAILABLE, f"the gateway said nothing for {silence:g} s") from None
            if message is None:
                return
            match message.WhichOneof("payload"):
                case "relay_open":
                    relays.open(message.relay_open)
                case "relay_close":
                    relays.close(message.relay_close.channel_id)
                case "heartbeat" if message.heartbeat.usage:
                    asked.set()
                case _:  # a heartbeat, or what a newer gateway says and this supervisor need not know
                    continue

    async def _report(self, send: Callable[[pb.SupervisorMessage], Awaitable[None]], asked: asyncio.Event) -> None:
        """Say what is taken, once for all that was asked until then."""
        while self._usage is not None:
            await asked.wait()
            asked.clear()
            await send(pb.SupervisorMessage(heartbeat=pb.SupervisorHeartbeat(usage=await self._usage())))


async def _beat(send: Callable[[pb.SupervisorMessage], Awaitable[None]], interval: float) -> None:
    while True:
        await asyncio.sleep(interval)
        await send(pb.SupervisorMessage(heartbeat=pb.SupervisorHeartbeat()))
